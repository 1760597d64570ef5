import { Fault } from "@capstan/proto";

/** The parts of each kind of key in bucket `state` (design §3.1). */
const shapes = {
  lease: ["shard"],
  desired: ["cluster"],
  cluster: ["id"],
  document: ["kind", "namespace", "name"],
  status: ["cluster"],
  render: ["digest"],
  head: ["rollout"],
  pin: ["lane"],
  released: ["lane"],
  hold: ["target"],
  token: ["id"],
  revoked: ["id"],
  // Who the store is: read by `Memory`; and what the fleet as a whole is in (a rebuild under way, its UUID).
  lineage: [],
  fleet: ["name"],
} as const;

/** The kinds of keys in bucket `state`. */
export type KeyKind = keyof typeof shapes;

type Texts<T extends readonly unknown[]> = { readonly [I in keyof T]: string };
/** A key taken apart: its kind and its parts as they were before encoding. */
export interface StateKey {
  readonly kind: KeyKind;
  readonly parts: readonly string[];
}

/**
 * The key of a thing, for example `stateKey("document", "Application", "argocd", "shop.eu")`. Parts may hold any
 * characters: those outside a NATS token are written as `=` and two upper-case hex digits per UTF-8 byte.
 */
export function stateKey<K extends KeyKind>(kind: K, ...parts: Texts<(typeof shapes)[K]>): string {
  return [kind, ...parts.map(encodeToken)].join(".");
}

/** The prefix of all keys of a kind, narrowed by its first parts; ends in a dot, fit for `StateStore.list`. */
export function statePrefix(kind: KeyKind, ...parts: readonly string[]): string {
  return `${[kind, ...parts.map(encodeToken)].join(".")}.`;
}

/** The reverse of `stateKey`. Undefined for a key that this version does not know. */
export function parseStateKey(key: string): StateKey | undefined {
  const [kind = "", ...tokens] = key.split(".");
  if (!isKeyKind(kind) || tokens.length !== shapes[kind].length) return undefined;
  return { kind, parts: tokens.map(decodeToken) };
}

function isKeyKind(text: string): text is KeyKind {
  return Object.hasOwn(shapes, text);
}

/** Any text as one NATS subject token, reversibly; the empty text is `=`. */
export function encodeToken(text: string): string {
  if (text === "") return "=";
  if (/^[A-Za-z0-9_-]+$/.test(text)) return text;
  let token = "";
  for (const byte of new TextEncoder().encode(text)) {
    const char = String.fromCharCode(byte);
    token += /[A-Za-z0-9_-]/.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return token;
}

/** The reverse of `encodeToken`. Throws `bad-input` for what it cannot have made. */
export function decodeToken(token: string): string {
  if (token === "=") return "";
  const bytes: number[] = [];
  for (let i = 0; i < token.length; i++) {
    const escaped = token[i] === "=";
    bytes.push(escaped ? Number.parseInt(token.slice(i + 1, i + 3), 16) : token.charCodeAt(i));
    if (escaped) i += 2;
  }
  const text = new TextDecoder().decode(Uint8Array.from(bytes));
  if (encodeToken(text) !== token) {
    throw new Fault("bad-input", { message: `expected an encoded key part, found ${JSON.stringify(token)}.` });
  }
  return text;
}
