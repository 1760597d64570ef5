import type { TargetKey } from "@capstan/proto";
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

/**
 * The memories of targets. What was set is seen at once, before it is durable: two changes of one target that overlap
 * must not lose each other.
 */
export function memoriesOf(cache: ClusterCache, signal: AbortSignal) {
  const ahead = new Map<TargetKey, { readonly memory: TargetMemory | undefined }>();
  return {
    get(target: TargetKey): TargetMemory {
      const newer = ahead.get(target);
      return (newer === undefined ? cache.head.targets.get(target) : newer.memory) ?? {};
    },
    async set(target: TargetKey, memory: TargetMemory | undefined): Promise<void> {
      const mine = { memory };
      ahead.set(target, mine);
      await cache.commit({ targets: new Map([[target, memory]]) }, signal);
      if (ahead.get(target) === mine) ahead.delete(target);
    },
  };
}
