import type { Clock, TargetKey } from "@capstan/proto";
import type { Inventory } from "../inventory/model.ts";
import type { ObjectMemory } from "./memory.ts";
import type { ApplyInput } from "./model.ts";
import type { Outcomes } from "./outcomes.ts";
import type { Cluster, InventoryStore } from "./port.ts";
import type { Survey } from "./survey.ts";

/** What a pass works with. `memory` is shared by all targets and the watcher of one agent. */
export interface ApplyPorts {
  readonly cluster: Cluster;
  readonly inventory: InventoryStore;
  readonly memory: ObjectMemory;
  readonly clock: Clock;
  /** Requests of one pass in flight at once, at least 1. */
  readonly concurrency: number;
}

/** One pass under way: its inputs, and what it has found and done so far. */
export interface Pass {
  readonly ports: ApplyPorts;
  readonly input: ApplyInput;
  readonly signal: AbortSignal;
  readonly survey: Survey;
  /** The inventory before the pass. */
  readonly before: Inventory;
  readonly owners: ReadonlySet<TargetKey>;
  /** `false`: differences are only reported. */
  readonly mayWrite: boolean;
  readonly outcomes: Outcomes;
  /** Keys for which a real write was sent, or that were found to be ours. */
  readonly touched: Set<string>;
  /** UIDs of all that was applied or found as it should be. */
  readonly uids: Set<string>;
  /** Wanted objects that must be gone before they can be made again. */
  readonly waiting: Set<string>;
  /** Objects whose correction waits, and the shortest wait in milliseconds. */
  readonly damped: Map<string, number>;
}
