import { isInFlight, isOver, isUnstarted, Recorder } from "./fold.ts";
import { openGate } from "./gates.ts";
import type { Intent, RunId, RunState, VerbResult } from "./model.ts";
import { isConcluded } from "./tally.ts";

export interface Superseding extends VerbResult {
  /** `superseded`: the newer run may start now; `queue`: it waits until this one ends. */
  readonly decision: "superseded" | "queue";
}

/**
 * What becomes of a lane's run when a newer release is there. By default a run that has not begun, is paused (by a person
 * or after failures) or is held is superseded; one whose clusters are being verified is not, so the newer one waits; only
 * the newest of those that wait is kept. A run with nothing left but new targets, or whose strategy says so, gives way.
 */
export function supersede(old: RunState, newer: RunId, intent: Intent): Superseding {
  if (isOver(old.status)) return { decision: "superseded", state: old, transitions: [] };
  if (!givesWay(old)) return { decision: "queue", state: old, transitions: [] };
  const reason = intent.reason === "" ? `a newer release: ${newer}` : intent.reason;
  return { decision: "superseded", ...giveWay(old, newer, { ...intent, reason }) };
}

/** Ends a run where it stands, whatever it was doing: nothing is called back, and nothing more goes out. */
export function giveWay(old: RunState, newer: RunId, { now, actor, reason }: Intent): VerbResult {
  const rec = new Recorder(old);
  for (const [index, { status }] of old.clusters.entries()) {
    const cluster = old.members[index]?.cluster;
    const open = isUnstarted(status) || isInFlight(status) || status.is === "Deferred";
    if (cluster === undefined || !open) continue;
    rec.note(now, actor, reason, { of: "cluster", index, cluster, to: { is: "Superseded", run: newer } });
  }
  for (const [stage, run] of old.stages.entries()) {
    if (isConcluded(run)) continue;
    const phase = run.status.phase === "Pending" ? "Skipped" : "Aborted";
    rec.note(now, actor, reason, { of: "stage", stage, to: { phase } });
  }
  rec.note(now, actor, reason, { of: "run", to: { phase: "Superseded", run: newer } });
  return { state: rec.state(), transitions: rec.transitions };
}

function givesWay(old: RunState): boolean {
  const { supersede: policy } = old.plan.strategy;
  switch (old.status.phase) {
    case "Draft":
    case "Planned":
      return true;
    case "Paused":
      return policy !== "queue" || old.status.failure;
    case "Held":
      if (policy === "abort-running") return true;
      return (policy === "replace-unstarted" || !hasBegun(old)) && !isVerifying(old);
    case "Running":
      return policy === "abort-running" || !hasBegun(old) || (onlyAside(old) && !isProving(old));
    default:
      return false;
  }
}

/** Clusters in flight, or a stage that proves itself: that is not thrown away. */
function isVerifying(old: RunState): boolean {
  return old.clusters.some(({ status }) => isInFlight(status)) || isProving(old);
}

/** A stage whose clusters are all changed, and which soaks or reads metrics. */
function isProving(old: RunState): boolean {
  return old.stages.some((run, at) => {
    const stage = old.plan.stages[at];
    if (run.status.phase === "Soaking") return true;
    if (run.status.phase !== "AfterTasks" || stage === undefined) return false;
    return openGate(stage, run, "after")?.task.kind !== "approval";
  });
}

function hasBegun(old: RunState): boolean {
  return old.clusters.some(({ attempt }) => attempt > 0);
}

/** Whether all that is unfinished are new targets: nobody verifies anything with them. */
function onlyAside(old: RunState): boolean {
  return old.clusters.every(({ status, stage }) => {
    const open = isUnstarted(status) || isInFlight(status);
    return !open || old.plan.stages[stage]?.aside === true;
  });
}
