import type { Instant } from "@capstan/proto";
import { objectKey } from "@capstan/proto";
import type { HookRecord } from "./hooks.ts";
import type { Inventory } from "./model.ts";
import type { ObjectAddress } from "./object.ts";

const day = 24 * 3600 * 1000;

/** The inventory with all that is about to be applied; the same one where that adds nothing. */
export function union(inventory: Inventory, intended: Iterable<ObjectAddress>): Inventory {
  const entries = new Map(inventory.entries);
  let changed = false;
  for (const address of intended) {
    const key = objectKey(address);
    if (entries.get(key)?.version === address.version) continue;
    entries.set(key, { ...address });
    changed = true;
  }
  return changed ? { ...inventory, entries } : inventory;
}

/** The inventory with other records of hooks: `undefined` forgets one. */
export function withHooks(inventory: Inventory, changes: ReadonlyMap<string, HookRecord | undefined>): Inventory {
  if (changes.size === 0) return inventory;
  const hooks = new Map(inventory.hooks);
  for (const [id, record] of changes) {
    if (record === undefined) hooks.delete(id);
    else hooks.set(id, record);
  }
  return { ...inventory, hooks };
}

/** What the target owns and its bundle no longer names, in the inventory's order. */
export function stale(inventory: Inventory, desired: ReadonlySet<string>): readonly ObjectAddress[] {
  return [...inventory.entries].filter(([key]) => !desired.has(key)).map(([, address]) => address);
}

/** What a pass ended with. */
export interface Settlement {
  /** Keys that are the target's no longer: confirmed gone, released, or never written and not owned before. */
  readonly dropped: ReadonlySet<string>;
  /** What the bundle names; undefined where the end is not about a bundle. */
  readonly desired: ReadonlySet<string> | undefined;
  /** How many of these were deleted by the pass. */
  readonly deleted: number;
  readonly now: Instant;
  readonly generation: number;
  readonly digest: string;
  readonly applied: boolean;
}

/** The inventory after a pass; the same one where nothing changed. Only confirmed ends shrink it. */
export function settle(inventory: Inventory, end: Settlement): Inventory {
  const entries = new Map([...inventory.entries].filter(([key]) => !end.dropped.has(key)));
  const recent = recentDeletions(inventory, end.now);
  const deletions = end.deleted === 0 ? recent : [...recent, { at: end.now, count: end.deleted }];
  const { desired } = end;
  const isLeft = (key: string) => (desired === undefined ? inventory.left.has(key) : !desired.has(key));
  const left = new Set([...entries.keys()].filter(isLeft));
  const newer = end.generation > inventory.generation;
  const same = end.generation === inventory.generation && end.digest === inventory.digest;
  const next: Inventory = {
    ...inventory,
    entries,
    left,
    deletions,
    generation: newer ? end.generation : inventory.generation,
    digest: newer ? end.digest : inventory.digest,
    applied: newer || same ? end.applied : inventory.applied,
  };
  const unchanged =
    entries.size === inventory.entries.size &&
    left.size === inventory.left.size &&
    [...left].every((key) => inventory.left.has(key)) &&
    next.generation === inventory.generation &&
    next.digest === inventory.digest &&
    next.applied === inventory.applied &&
    end.deleted === 0;
  return unchanged ? inventory : next;
}

/** Deletions within the last 24 hours. A clock that went back keeps them. */
export function recentDeletions(inventory: Inventory, now: Instant): Inventory["deletions"] {
  return inventory.deletions.filter((record) => now - record.at < day);
}
