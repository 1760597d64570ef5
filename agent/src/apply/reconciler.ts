import { type Clock, Fault } from "@capstan/proto";
import type { ObjectMemory } from "./memory.ts";
import type { ApplyInput, ApplyResult, RemovalInput, RemovalResult } from "./model.ts";
import type { Cluster, InventoryStore } from "./port.ts";

/** What a pass works with. `memory` is shared by all targets and the watcher of one agent. */
export interface ApplyPorts {
  readonly cluster: Cluster;
  readonly inventory: InventoryStore;
  readonly memory: ObjectMemory;
  readonly clock: Clock;
  /** Requests of one pass in flight at once, at least 1. */
  readonly concurrency: number;
}

/**
 * One pass over a target: inventory first, then stages, then prune. Failures of objects are in the result; it throws only
 * when nothing could be done (`cluster-unreachable`, `cancelled`, `older-revision`). It may be killed between any two
 * requests and called again. Two passes over one target never run at once: the caller sees to that.
 */
export async function applyTarget(_ports: ApplyPorts, _input: ApplyInput, _signal: AbortSignal): Promise<ApplyResult> {
  throw new Fault("unsupported", { message: "not built yet" });
}

/** One step towards the end of a target on this cluster; called again until `done`. */
export async function removeTarget(
  _ports: ApplyPorts,
  _input: RemovalInput,
  _signal: AbortSignal,
): Promise<RemovalResult> {
  throw new Fault("unsupported", { message: "not built yet" });
}
