import type { Fault, Instant, TargetKey } from "@capstan/proto";
import type { ApplyResult, Mode, ObjectOutcome } from "../apply/model.ts";
import type { TargetHealth } from "../health/model.ts";

/** The phases of a target, as `capstan.v1.Phase` has them. */
export type TargetPhase =
  | "Waiting"
  | "Fetching"
  | "Applying"
  | "Settling"
  | "Done"
  | "Failed"
  | "RolledBack"
  | "Removing"
  | "Observed";

/** A target that is gone as its tombstone asked. */
export interface RemovedTarget {
  readonly target: TargetKey;
  readonly generation: bigint;
}

/** All that is known of a target, from which its report is made. */
export interface TargetStatus {
  readonly target: TargetKey;
  readonly generation: bigint;
  /** Of the bundle that is applied; empty before the first. */
  readonly digest: string;
  readonly release: string;
  readonly mode: Mode;
  readonly phase: TargetPhase;
  /** Why it waits or failed, before the problems of single objects. */
  readonly problem: Fault | undefined;
  /** When each problem was first seen, by `problemKey`. */
  readonly since: ReadonlyMap<string, Instant>;
  readonly health: TargetHealth | undefined;
  readonly healthSince: Instant | undefined;
  /** Of the last pass over all objects. */
  readonly counts: ApplyResult["counts"] | undefined;
  /** What did not go well or differs, by object key: of the last whole pass, corrected by the checks since. */
  readonly findings: ReadonlyMap<string, ObjectOutcome>;
  readonly appliedAt: Instant | undefined;
  readonly rolledBackFrom: string;
  readonly operation: string;
  /** What the last action did, or why it could not; of this process alone. */
  readonly operationDone: string;
  readonly operationProblem: Fault | undefined;
}
