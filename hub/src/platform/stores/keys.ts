import { type ClusterId, Fault } from "@capstan/proto";
import { type KeyKind, parseStateKey, stateKey, statePrefix } from "../../store/keys.ts";
import type { StateStore } from "../../store/port.ts";

/** All values of a kind of key whose only part is a cluster's id. */
export async function loadByCluster(
  store: StateStore,
  kind: "desired" | "status" | "cluster",
  signal: AbortSignal,
): Promise<Map<ClusterId, Uint8Array>> {
  const found = new Map<ClusterId, Uint8Array>();
  for (const { key, value } of await store.list(statePrefix(kind), signal)) {
    found.set(firstPart(key) as ClusterId, value);
  }
  return found;
}

/** The first part of a key, as it was before encoding. */
export function firstPart(key: string): string {
  const part = parseStateKey(key)?.parts[0];
  if (part === undefined) throw new Fault("internal", { message: `the store holds a key of unknown shape: ${key}.` });
  return part;
}

/** Writes many keys of a kind whose only part is a cluster's id. */
export async function saveByCluster(
  store: StateStore,
  kind: Extract<KeyKind, "desired" | "status">,
  writes: ReadonlyMap<ClusterId, Uint8Array>,
  signal: AbortSignal,
): Promise<void> {
  await store.putMany(
    [...writes].map(([cluster, value]) => ({ key: stateKey(kind, cluster), value })),
    signal,
  );
}
