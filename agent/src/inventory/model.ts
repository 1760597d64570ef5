/**
 * The inventory: what a target owns here. It grows before the first write and shrinks after a confirmed delete, so that
 * nothing that was written is ever forgotten, and nothing is pruned that was not ours.
 */
import type { Instant, TargetKey } from "@capstan/proto";
import type { HookRecord } from "./hooks.ts";
import type { KubeObject, ObjectAddress } from "./object.ts";

/** Deletions that one pass confirmed; kept for the rolling window of the deletion guard. */
export interface DeletionRecord {
  readonly at: Instant;
  readonly count: number;
}

/**
 * The objects that the agent owns for one target. It is written, with all that is about to be applied, before the first
 * write of a pass, and shrunk only after confirmed deletes: what is not in it is never deleted, what is in it is never
 * forgotten.
 */
export interface Inventory {
  readonly target: TargetKey;
  /** The highest generation applied so far; 0 before the first. */
  readonly generation: number;
  /** The bundle of that generation. Another bundle at the same generation (a local rollback) never prunes. */
  readonly digest: string;
  /** Whether a pass over that generation ended without a failure. */
  readonly applied: boolean;
  /** By `objectKey`, in the order in which they were added. */
  readonly entries: ReadonlyMap<string, ObjectAddress>;
  /**
   * Keys of entries that the newest applied bundle no longer names: they wait to be deleted or released, and say nothing
   * of the target's health.
   */
  readonly left: ReadonlySet<string>;
  readonly deletions: readonly DeletionRecord[];
  /** The last try of each hook, by its id; hooks are no entries: nothing prunes them and their health does not count. */
  readonly hooks: ReadonlyMap<string, HookRecord>;
  /** Manifests of the hooks that run when the target leaves: by then its bundle may be gone. */
  readonly farewell: readonly KubeObject[];
}

/** The inventory of a target that has never been applied. */
export function emptyInventory(target: TargetKey): Inventory {
  const nothing = { entries: new Map(), left: new Set<string>(), deletions: [], hooks: new Map(), farewell: [] };
  return { target, generation: 0, digest: "", applied: false, ...nothing };
}
