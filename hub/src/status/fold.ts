import { type Instant, type TargetKey, targetKey } from "@capstan/proto";
import type { ReportBatch } from "@capstan/proto/agent";
import type { ClusterStatus, TargetStatus } from "./model.ts";

/** What folding a batch changed. */
export interface Folded {
  readonly status: ClusterStatus;
  /** Targets whose report is new or different. */
  readonly changed: readonly TargetKey[];
  /** Tombstones carried out, with their generation. */
  readonly removed: readonly { readonly target: TargetKey; readonly generation: bigint }[];
  /** False for a batch that was folded before: acknowledged again, nothing else. */
  readonly fresh: boolean;
}

/**
 * Folds a batch. Sequences count within a boot: one that is not higher was folded before (at-least-once delivery).
 * A report of an older generation than the one known is dropped, unless a new boot says everything anew (`full`).
 */
export function foldReports(before: ClusterStatus, batch: ReportBatch, at: { bootId: string; now: Instant }): Folded {
  if (at.bootId === before.bootId && batch.sequence <= before.sequence) {
    return { status: { ...before, lastSeen: at.now }, changed: [], removed: [], fresh: false };
  }
  const targets = new Map(batch.full ? [] : before.targets);
  const changed: TargetKey[] = [];
  for (const report of batch.reports) {
    const key = targetKey(report.namespace, report.name);
    const known = before.targets.get(key);
    if (known !== undefined && !batch.full && known.report.generation > report.generation) continue;
    const next: TargetStatus = { report, reportedAt: at.now, healthSince: healthSince(known, report, at.now) };
    targets.set(key, next);
    changed.push(key);
  }
  for (const gone of batch.removed) targets.delete(targetKey(gone.namespace, gone.name));
  return {
    status: {
      cluster: before.cluster,
      bootId: at.bootId,
      sequence: batch.sequence,
      lastSeen: at.now,
      heldRevision: batch.revision,
      refused: batch.refused,
      targets,
    },
    changed,
    removed: batch.removed.map(({ namespace, name, generation }) => ({
      target: targetKey(namespace, name),
      generation,
    })),
    fresh: true,
  };
}

function healthSince(known: TargetStatus | undefined, report: TargetStatus["report"], now: Instant): Instant {
  const same =
    known !== undefined &&
    known.report.health === report.health &&
    known.report.generation === report.generation &&
    known.report.digest === report.digest;
  return same ? known.healthSince : now;
}
