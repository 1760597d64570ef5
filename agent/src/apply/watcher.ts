import type { Clock, Fault, TargetKey } from "@capstan/proto";
import type { TargetHealth } from "../health/model.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KindRef } from "../inventory/object.ts";
import type { ObjectMemory } from "./memory.ts";
import type { Watches } from "./port.ts";

/**
 * What the watcher tells. `suspect`: these objects (by key) of the target may differ from their bundle: call `applyTarget`
 * with `only`. `health`: the target's verdict changed.
 */
export type TargetEvent =
  | { readonly kind: "suspect"; readonly target: TargetKey; readonly objects: ReadonlySet<string> }
  | { readonly kind: "health"; readonly target: TargetKey; readonly health: TargetHealth }
  | { readonly kind: "trouble"; readonly watched: KindRef; readonly fault: Fault };

/** What the watcher works with. */
export interface WatcherPorts {
  readonly watches: Watches;
  readonly memory: ObjectMemory;
  readonly clock: Clock;
}

/** Follows exactly what is managed: one watch per kind in use, told of targets by their inventories. */
export interface TargetWatcherApi {
  /** Follow what this inventory lists from now on; called after every pass (`ApplyResult.inventory`). */
  track(inventory: Inventory): void;
  /** The target is gone from this cluster. */
  untrack(target: TargetKey): void;
  /** The target's verdict now; `Progressing` until its kinds have been listed. */
  health(target: TargetKey): TargetHealth;
  /** Watches until the signal aborts. Nothing is watched before. */
  run(onEvent: (event: TargetEvent) => void, signal: AbortSignal): Promise<void>;
}
