import type { Clock } from "@capstan/proto";
import type { Health } from "../health/model.ts";
import type { ObjectMemory } from "./memory.ts";
import type { Cluster, InventoryStore } from "./port.ts";

/** What a pass works with. `memory` is shared by all targets and the watcher of one agent. */
export interface ApplyPorts {
  readonly cluster: Cluster;
  readonly inventory: InventoryStore;
  readonly memory: ObjectMemory;
  readonly clock: Clock;
  /** What the watch last said of an object's health, by key; asked only where memory vouches for the object. */
  readonly health?: (key: string) => Health | undefined;
  /** Requests of one pass in flight at once, at least 1. */
  readonly concurrency: number;
}
