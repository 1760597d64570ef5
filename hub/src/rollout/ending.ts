import type { ClusterId } from "@capstan/proto";
import { isInFlight, isOver, isUnstarted, type Recorder } from "./fold.ts";
import type { Intent, RollbackScope, RunState } from "./model.ts";
import { offlineForMs } from "./observe.ts";
import { note, type Stepping, wake } from "./stepping.ts";
import { isConcluded } from "./tally.ts";

/** Nothing new starts, what was not acknowledged is called back, the rest finishes. */
export function beginAbort(rec: Recorder, { now, actor, reason }: Intent): void {
  rec.note(now, actor, reason, { of: "run", to: { phase: "Aborting", by: actor, reason } });
  for (const [index, { status }] of rec.clusters.entries()) {
    const cluster = rec.members[index]?.cluster;
    if (cluster === undefined) continue;
    if (isUnstarted(status)) {
      rec.note(now, actor, "aborted", { of: "cluster", index, cluster, to: { is: "Skipped", reason: "aborted" } });
    } else if (status.is === "Dispatched") {
      rec.note(now, actor, "called back", { of: "cluster", index, cluster, to: { ...status, recall: true } });
    }
  }
}

/** Corrects dispatches by a newer desired state with the older digests, until each says so; then the run has ended. */
export function recall(stepping: Stepping): void {
  const { rec } = stepping;
  for (const [index, { status }] of rec.clusters.entries()) {
    if (status.is === "Dispatched" && status.recall === true) recallOne(stepping, index);
  }
  if (rec.clusters.some(({ status }) => isInFlight(status))) return;
  for (const [stage, run] of rec.stages.entries()) {
    if (!isConcluded(run)) note(stepping, "the run was aborted", { of: "stage", stage, to: { phase: "Aborted" } });
  }
  if (rec.status.phase !== "Aborting") return;
  note(stepping, "nothing is in flight", { of: "run", to: { ...rec.status, phase: "Aborted" } });
}

function recallOne(stepping: Stepping, index: number): void {
  const { rec, facts, dispatch } = stepping;
  const member = rec.members[index];
  const fact = member === undefined ? undefined : facts.of(member.cluster);
  if (member === undefined || fact === undefined) return;
  const { cluster, moves } = member;
  const corrected = moves.every((move) => (fact.target(move.target).desired?.content ?? null) === move.from);
  const left = rec.plan.strategy.offlineAfterMs - offlineForMs(fact, facts);
  if (corrected) {
    const to = { is: "Skipped", reason: "aborted before it was acknowledged" } as const;
    note(stepping, "corrected", { of: "cluster", index, cluster, to });
  } else if (fact.connected) {
    const id = `${rec.plan.run}/${index}/${rec.clusters[index]?.attempt ?? 0}/recall`;
    const back = moves.map(({ target, from, to }) => ({ target, from: to, to: from }));
    dispatch.push({ id, cluster, moves: back, kind: "recall", again: false });
  } else if (left <= 0) {
    const to = { is: "Deferred", because: "offline", dispatched: true } as const;
    note(stepping, "offline", { of: "cluster", index, cluster, to });
  } else wake(stepping, facts.now + left);
}

/** The clusters that a rollback of this scope takes back: among the touched, but for `all`. */
export function scopeOf(state: Pick<RunState, "members" | "clusters">, scope: RollbackScope): ReadonlySet<ClusterId> {
  const touched = state.members.filter((_, index) => (state.clusters[index]?.attempt ?? 0) > 0);
  if (scope === "all") return new Set(state.members.map((member) => member.cluster));
  if (scope === "touched") return new Set(touched.map((member) => member.cluster));
  const runs = state.members.map((member, index) => ({ member, run: state.clusters[index] }));
  if (scope === "failed") {
    return new Set(runs.filter(({ run }) => run?.status.is === "Failed").map(({ member }) => member.cluster));
  }
  const last = runs.reduce(
    (stage, { run }) => (run !== undefined && run.attempt > 0 ? Math.max(stage, run.stage) : stage),
    0,
  );
  return new Set(runs.filter(({ run }) => run?.stage === last && run.attempt > 0).map(({ member }) => member.cluster));
}

/** Waits for the run that takes this one back, then ends as it ended. */
export function settleRollback(stepping: Stepping): void {
  const { rec, facts } = stepping;
  const { status } = rec;
  const child = facts.rollback;
  if (status.phase !== "RollingBack" || child === undefined || !isOver(child)) return;
  const good = child.phase === "Succeeded" || child.phase === "SucceededWithDeferred";
  const covered = scopeOf(rec, status.scope);
  for (const [index, run] of rec.clusters.entries()) {
    const cluster = rec.members[index]?.cluster;
    if (cluster === undefined || run.attempt === 0 || !covered.has(cluster)) continue;
    // What a failed rollback took over in flight is its own to explain; what had failed before stays told as it was.
    if (!good && !isInFlight(run.status)) continue;
    const to = { is: good ? "RolledBack" : "Superseded", run: status.run } as const;
    note(stepping, good ? "rolled back" : "taken over", { of: "cluster", index, cluster, to });
  }
  for (const [stage, run] of rec.stages.entries()) {
    if (!isConcluded(run)) note(stepping, "the run was rolled back", { of: "stage", stage, to: { phase: "Aborted" } });
  }
  const phase = good ? "RolledBack" : "RollbackFailed";
  note(stepping, `its rollback ended as ${child.phase}`, { of: "run", to: { ...status, phase } });
}
