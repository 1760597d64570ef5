/**
 * Status: what agents said last, folded by target and cluster. It stands below `rollout`, so that reports come back
 * without a circle. It holds nothing of single objects: memory is bounded by targets (docs/concepts/status.md).
 */
import type { ClusterId, Instant, TargetKey } from "@capstan/proto";
import type { Problem, TargetReport } from "@capstan/proto/agent";

/** What one agent said last of one target, and when. */
export interface TargetStatus {
  readonly report: TargetReport;
  readonly reportedAt: Instant;
  /** When the hub first saw this health at this generation: agents' clocks decide nothing here. */
  readonly healthSince: Instant;
}

/** The last that one cluster's agent said. Bounded by its targets; objects are never kept here. */
export interface ClusterStatus {
  readonly cluster: ClusterId;
  /** The agent process that speaks; sequences count within it. */
  readonly bootId: string;
  /** Last batch folded of that boot. */
  readonly sequence: bigint;
  readonly lastSeen: Instant;
  /** Revision that the agent holds. */
  readonly heldRevision: bigint;
  /** Why it does not take a newer one. */
  readonly refused: Problem | undefined;
  readonly targets: ReadonlyMap<TargetKey, TargetStatus>;
}

/** The status of a cluster that has never reported. */
export function unseen(cluster: ClusterId): ClusterStatus {
  return {
    cluster,
    bootId: "",
    sequence: 0n,
    lastSeen: 0,
    heldRevision: 0n,
    refused: undefined,
    targets: new Map(),
  };
}
