import { Health, Sync } from "@capstan/proto/agent";
import type { TargetStatus } from "./model.ts";

/** Targets by health and by sync: two sums over the same targets, never added up. */
export interface Counts {
  total: number;
  healthy: number;
  progressing: number;
  degraded: number;
  suspended: number;
  missing: number;
  unknown: number;
  synced: number;
  drifted: number;
  moving: number;
  waiting: number;
  /** In no cluster's desired state: nothing of its sync can be known. */
  undelivered: number;
}

/** Counts of nothing. */
export function noCounts(): Counts {
  return {
    total: 0,
    healthy: 0,
    progressing: 0,
    degraded: 0,
    suspended: 0,
    missing: 0,
    unknown: 0,
    synced: 0,
    drifted: 0,
    moving: 0,
    waiting: 0,
    undelivered: 0,
  };
}

/** A target's sync as people see it: what is not reported at the wanted generation is moving. */
export function syncOf(status: TargetStatus | undefined, generation: bigint): keyof Counts {
  if (status === undefined || status.report.generation < generation) return "moving";
  switch (status.report.sync) {
    case Sync.SYNCED:
      return "synced";
    case Sync.DRIFTED:
      return "drifted";
    case Sync.WAITING:
      return "waiting";
    default:
      return "moving";
  }
}

/** A target's health as people see it: not reported is unknown. */
export function healthOf(status: TargetStatus | undefined): keyof Counts {
  switch (status?.report.health) {
    case Health.HEALTHY:
      return "healthy";
    case Health.PROGRESSING:
      return "progressing";
    case Health.DEGRADED:
      return "degraded";
    case Health.SUSPENDED:
      return "suspended";
    case Health.MISSING:
      return "missing";
    default:
      return "unknown";
  }
}

/** Adds one target to the counts. */
export function count(counts: Counts, status: TargetStatus | undefined, generation: bigint): void {
  counts.total += 1;
  counts[healthOf(status)] += 1;
  counts[syncOf(status, generation)] += 1;
}
