import { type ClusterId, Fault, parseClusterId } from "@capstan/proto";
import type { JoinToken, PersonToken } from "./model.ts";
import type { TokenCrypto } from "./port.ts";

/** A token's text, taken apart. */
export interface TokenText {
  readonly kind: "join" | "person";
  readonly id: string;
  readonly secret: string;
}

/**
 * Join: `capstan-join.<id>.<secret>.<cluster>.<CA pin>`. Person: `capstan.<id>.<secret>`. The secret is 256 bits in hex; the
 * pin is the hex SHA-256 of the CA's certificate, so that the agent knows its hub before it says anything.
 */
const join = /^capstan-join\.([0-9a-f]{16})\.([0-9a-f]{64})\.([a-z0-9-]{1,63})\.([0-9a-f]{64})$/;
const person = /^capstan\.([0-9a-f]{16})\.([0-9a-f]{64})$/;

/** Undefined for a text that is no token of ours. */
export function readTokenText(text: string): TokenText | undefined {
  const joined = join.exec(text.trim());
  if (joined !== null) return { kind: "join", id: joined[1] ?? "", secret: joined[2] ?? "" };
  const personal = person.exec(text.trim());
  if (personal !== null) return { kind: "person", id: personal[1] ?? "", secret: personal[2] ?? "" };
  return undefined;
}

/** What a new token is made for. */
export interface TokenIntent {
  readonly now: number;
  /** Milliseconds; undefined: until it is taken away (people only). */
  readonly ttl: number | undefined;
  readonly by: string;
}

/** A join token: its stored form, and the text that is shown once. */
export function makeJoinToken(
  cluster: ClusterId,
  pin: string,
  { now, ttl = 0, by }: TokenIntent,
  crypto: TokenCrypto,
): { readonly stored: JoinToken; readonly text: string } {
  const { id, secret, hash } = fresh(crypto);
  const stored: JoinToken = {
    kind: "join",
    id,
    cluster,
    hash,
    madeAt: now,
    expiresAt: now + ttl,
    madeBy: by,
    used: undefined,
  };
  return { stored, text: `capstan-join.${id}.${secret}.${parseClusterId(cluster)}.${pin}` };
}

/** A person's token: its stored form, and the text that is shown once. */
export function makePersonToken(
  name: string,
  roles: readonly string[],
  { now, ttl }: TokenIntent,
  crypto: TokenCrypto,
): { readonly stored: PersonToken; readonly text: string } {
  const { id, secret, hash } = fresh(crypto);
  const expiresAt = ttl === undefined ? undefined : now + ttl;
  return { stored: { kind: "person", id, name, roles, hash, madeAt: now, expiresAt }, text: `capstan.${id}.${secret}` };
}

/** What a join token is presented with. */
export interface Presented {
  readonly hash: string;
  readonly cluster: string;
  readonly tlsKey: string;
  readonly now: number;
  /** Compares without telling where two texts differ. */
  same(a: string, b: string): boolean;
}

/**
 * Uses a join token up. The same TLS key may use it again while it lives: its answer may have been lost. Throws
 * `token-refused`, saying which of the reasons it was only where that helps nobody else.
 */
export function useJoinToken(stored: JoinToken | undefined, presented: Presented): JoinToken {
  if (stored === undefined || !presented.same(stored.hash, presented.hash)) {
    throw refused("it is not known", "Make a new one with: capstan cluster add ID");
  }
  const again = `Make a new one with: capstan cluster add ${stored.cluster}`;
  if (stored.cluster !== presented.cluster) {
    throw refused(`it is for cluster ${stored.cluster}, not ${presented.cluster}`, "Use the token of this cluster.");
  }
  if (presented.now > stored.expiresAt) {
    throw refused(`it ended at ${new Date(stored.expiresAt).toISOString()}`, again);
  }
  if (stored.used !== undefined && stored.used.tlsKey !== presented.tlsKey) {
    throw refused(
      `it was used already at ${new Date(stored.used.at).toISOString()}`,
      `If that was not you: capstan cluster revoke ${stored.cluster}. ${again}`,
    );
  }
  return { ...stored, used: stored.used ?? { at: presented.now, tlsKey: presented.tlsKey } };
}

/** Whether a person's token is good now. */
export function isGood(stored: PersonToken, presented: Pick<Presented, "hash" | "now" | "same">): boolean {
  if (!presented.same(stored.hash, presented.hash)) return false;
  return stored.expiresAt === undefined || presented.now <= stored.expiresAt;
}

function fresh(crypto: TokenCrypto): { readonly id: string; readonly secret: string; readonly hash: string } {
  const secret = hex(crypto.random(32));
  return { id: hex(crypto.random(8)), secret, hash: hashSecret(secret, crypto) };
}

/** How a secret is stored. It has 256 random bits, so that one round of hashing is enough. */
export function hashSecret(secret: string, crypto: TokenCrypto): string {
  return crypto.sha256(new TextEncoder().encode(secret));
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function refused(why: string, next: string): Fault {
  return new Fault("token-refused", { message: `the join token is refused: ${why}.`, next });
}
