import { type Clock, Fault, type TargetKey } from "@capstan/proto";
import type { TargetMemory } from "./model.ts";
import type { ClusterCache } from "./reconciler.ts";

/** The cache as the holder of the desired state sees it. */
export function cacheShelf(cache: ClusterCache) {
  return {
    get highWater() {
      return cache.head.highWater;
    },
    has: (entry: string) => cache.head.entries.has(entry),
    get: (entry: string, signal: AbortSignal) => cache.get(entry, signal),
    commit: (change: Parameters<ClusterCache["commit"]>[0], signal: AbortSignal) => cache.commit(change, signal),
    *reserve(): Generator<string> {
      for (const { good, previous } of cache.head.targets.values()) {
        if (good !== undefined) yield good;
        if (previous !== undefined) yield previous;
      }
    },
  };
}

/** How long what is only noted may wait to be stored, ms: notes of many targets then share one write. */
const noteMs = 2_000;

/**
 * The memories of targets. What was set or noted is seen at once, before it is durable: two changes of one target that
 * overlap must not lose each other. A note that cannot be stored is told to `trouble` and tried again with the next one.
 */
export function memoriesOf(cache: ClusterCache, clock: Clock, trouble: (fault: Fault) => void, signal: AbortSignal) {
  const ahead = new Map<TargetKey, { readonly memory: TargetMemory | undefined }>();
  const noted = new Set<TargetKey>();
  let waiting = false;
  const store = async (keys: readonly TargetKey[]) => {
    const mine = new Map(keys.flatMap((key) => (ahead.has(key) ? [[key, ahead.get(key)] as const] : [])));
    for (const key of keys) noted.delete(key);
    await cache.commit({ targets: new Map([...mine].map(([key, one]) => [key, one?.memory])) }, signal);
    for (const [key, one] of mine) if (ahead.get(key) === one) ahead.delete(key);
  };
  const storeNotes = async () => {
    await clock.sleep(noteMs, signal);
    waiting = false;
    const keys = [...noted];
    try {
      await store(keys);
    } catch (thrown) {
      for (const key of keys) noted.add(key);
      if (!signal.aborted) trouble(Fault.from(thrown));
    }
  };
  return {
    get(target: TargetKey): TargetMemory {
      const newer = ahead.get(target);
      return (newer === undefined ? cache.head.targets.get(target) : newer.memory) ?? {};
    },
    /** Durable when it resolves. */
    set(target: TargetKey, memory: TargetMemory | undefined): Promise<void> {
      ahead.set(target, { memory });
      return store([target]);
    },
    /** Durable soon. */
    note(target: TargetKey, memory: TargetMemory): void {
      ahead.set(target, { memory });
      noted.add(target);
      if (waiting) return;
      waiting = true;
      storeNotes().catch(() => undefined); // the agent ends
    },
  };
}
