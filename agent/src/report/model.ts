import type { Fault, Instant, TargetKey } from "@capstan/proto";
import type { TargetReport } from "@capstan/proto/agent";

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

/**
 * The outbox: the latest report of each target, which of them the hub has not acknowledged, and the batch that is under
 * way. One batch is under way at a time; what changes meanwhile is coalesced.
 */
export interface Outbox {
  readonly latest: ReadonlyMap<TargetKey, TargetReport>;
  readonly dirty: ReadonlySet<TargetKey>;
  readonly removed: ReadonlyMap<TargetKey, RemovedTarget>;
  readonly refused: Fault | undefined;
  /** Whether something other than a target's report has to be said. */
  readonly speak: boolean;
  readonly sequence: bigint;
  readonly underWay: UnderWay | undefined;
  readonly lastSent: Instant | undefined;
  readonly lastFull: Instant | undefined;
  readonly revision: bigint;
}

/** A batch that was sent and is not acknowledged. */
export interface UnderWay {
  readonly sequence: bigint;
  readonly targets: ReadonlySet<TargetKey>;
  readonly at: Instant;
}
