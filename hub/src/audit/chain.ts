import { type AuditEntry, type AuditFact, type AuditPhase, chainStart } from "./model.ts";

/** Lower-case hex SHA-256; handed in, as cores reach for no crypto. */
export type Hash = (bytes: Uint8Array) => string;

/** Where a chain goes on. */
export interface ChainHead {
  /** Of the last entry; 0 at the start. */
  readonly index: bigint;
  readonly hash: string;
}

/** The head of an empty chain. */
export const emptyChain: ChainHead = { index: 0n, hash: chainStart };

/** The next entry: its hash covers all its fields and the hash before it. */
export function chain(head: ChainHead, fact: AuditFact, hash: Hash): AuditEntry {
  const linked = { ...fact, index: head.index + 1n, previous: head.hash };
  return { ...linked, hash: hash(canonical(linked)) };
}

/** What is wrong with a chain. */
export interface ChainBreak {
  readonly index: bigint;
  /** `hash`: the entry was changed; `link`: one before it is missing, changed or out of order. */
  readonly kind: "hash" | "link";
}

/** The first break, or undefined for a whole chain. `from` is where the first of the entries is expected to go on. */
export function verifyChain(
  entries: readonly AuditEntry[],
  hash: Hash,
  from: ChainHead = emptyChain,
): ChainBreak | undefined {
  let head = from;
  for (const entry of entries) {
    const { hash: claimed, ...linked } = entry;
    if (hash(canonical(linked)) !== claimed) return { index: entry.index, kind: "hash" };
    if (entry.previous !== head.hash || entry.index !== head.index + 1n) return { index: entry.index, kind: "link" };
    head = { index: entry.index, hash: claimed };
  }
  return undefined;
}

/**
 * The chain that counts, where a stale leader wrote beside the new one: of the entries that go on from the same place the one
 * of the higher epoch stays; the others are returned as `beside`, to be shown with that mark.
 */
export function untangle(entries: readonly AuditEntry[]): {
  readonly main: AuditEntry[];
  readonly beside: AuditEntry[];
} {
  let main: AuditEntry[] = [];
  const beside: AuditEntry[] = [];
  for (const entry of entries) {
    const last = main.at(-1);
    if (last === undefined || entry.previous === last.hash) {
      main.push(entry);
    } else if (entry.epoch > last.epoch && main.some((earlier) => earlier.hash === entry.previous)) {
      const fork = main.findIndex((earlier) => earlier.hash === entry.previous) + 1;
      beside.push(...main.slice(fork));
      main = [...main.slice(0, fork), entry];
    } else {
      beside.push(entry);
    }
  }
  return { main, beside };
}

/** An entry as it is stored: JSON in canonical order. */
export function encodeEntry(entry: AuditEntry): Uint8Array {
  return canonical(entry);
}

/** The reverse; undefined for what is no entry. Says nothing about its hash. */
export function decodeEntry(bytes: Uint8Array): AuditEntry | undefined {
  try {
    const raw = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, unknown>;
    const { id, at, actor, action, resource, detail, epoch, phase, index, previous, hash } = raw;
    const texts = [id, actor, action, resource, epoch, index, previous, hash];
    if (!texts.every((text) => typeof text === "string") || typeof at !== "number") return undefined;
    return {
      ...({ id, actor, action, resource, previous, hash } as Record<
        "id" | "actor" | "action" | "resource" | "previous" | "hash",
        string
      >),
      at,
      detail: (detail ?? {}) as Record<string, string>,
      phase: phase as AuditPhase,
      epoch: BigInt(epoch as string),
      index: BigInt(index as string),
    };
  } catch {
    return undefined;
  }
}

/** Fields in a fixed order, numbers of 64 bits as text. */
function canonical(
  entry: AuditFact & { readonly index: bigint; readonly previous: string; readonly hash?: string },
): Uint8Array {
  const detail = Object.fromEntries(Object.entries(entry.detail).sort(([a], [b]) => (a < b ? -1 : 1)));
  const { id, at, actor, action, resource, phase, previous } = entry;
  const fields = { id, at, actor, action, resource, detail, epoch: String(entry.epoch), phase: orderedPhase(phase) };
  const linked = { ...fields, index: String(entry.index), previous };
  return new TextEncoder().encode(JSON.stringify(entry.hash === undefined ? linked : { ...linked, hash: entry.hash }));
}

function orderedPhase(phase: AuditPhase): AuditPhase {
  return phase.kind === "failed"
    ? { kind: phase.kind, code: phase.code, message: phase.message }
    : { kind: phase.kind };
}
