import { advance } from "./advance.ts";
import { recall, settleRollback } from "./ending.ts";
import { isInFlight, isOver, Recorder } from "./fold.ts";
import type { ClusterFact, ClusterRun, Facts, PlannedCluster, Reason, RunState, StepResult } from "./model.ts";
import { isOrdered, observe } from "./observe.ts";
import { dispatchOf, note, type Stepping, wake } from "./stepping.ts";
import { isConcluded } from "./tally.ts";
import { why, whyStage } from "./why.ts";

/**
 * What to do next, given what is known. Pure, linear in the run's clusters; the same state comes back when nothing changed.
 * The caller records the transitions first, then makes each dispatch true, then calls again with new facts or at `wakeAt`.
 */
export function step(state: RunState, facts: Facts): StepResult {
  const { phase } = state.status;
  const stepping: Stepping = { rec: new Recorder(state), facts, dispatch: [], errands: [], wakeAt: null };
  if (isOver(state.status) || phase === "Draft" || phase === "Planned") return resultOf(stepping);
  if (phase === "RollingBack") settleRollback(stepping);
  else {
    lookAtClusters(stepping);
    if (phase === "Aborting") recall(stepping);
    else advance(stepping);
  }
  return resultOf(stepping);
}

function resultOf({ rec, facts, dispatch, errands, wakeAt }: Stepping): StepResult {
  const state = rec.state();
  return { state, transitions: rec.transitions, dispatch, errands, waiting: reasonsOf(state, facts), wakeAt };
}

function reasonsOf(state: RunState, facts: Facts): Reason[] {
  const reasons = [why(state, facts)];
  for (const [at, { status }] of state.stages.entries()) {
    if (!["Pending", "Succeeded", "Failed", "Skipped", "Aborted"].includes(status.phase))
      reasons.push(whyStage(state, at, facts));
  }
  return reasons.filter((reason) => reason !== null);
}

/** Folds what the agents report into every cluster that is under way, was deferred, or left the fleet. */
function lookAtClusters(stepping: Stepping): void {
  const { rec, facts } = stepping;
  for (const [index, run] of rec.clusters.entries()) {
    const member = rec.members[index];
    const { status } = run;
    const flying = isInFlight(status);
    if (member === undefined || !(flying || status.is === "Deferred" || status.is === "Pending")) continue;
    const fact = facts.of(member.cluster);
    if (fact === undefined) {
      note(stepping, "left the fleet", { of: "cluster", index, cluster: member.cluster, to: { is: "Removed" } });
    } else if (flying || (status.is === "Deferred" && status.dispatched))
      lookAt(stepping, { index, member, run, fact });
    else if (status.is === "Deferred") comeBack(stepping, { index, member, run, fact });
  }
}

interface Looked {
  readonly index: number;
  readonly member: PlannedCluster;
  readonly run: ClusterRun;
  readonly fact: ClusterFact;
}

/** A status that changed is looked at once more: from an acknowledgement to done may be no time at all. */
function lookAt(stepping: Stepping, looked: Looked): void {
  const { rec, facts } = stepping;
  const { index, member, run, fact } = looked;
  if (run.status.is === "Dispatched" && run.status.recall === true) return;
  const seen = observe({ member, run, fact, facts, strategy: rec.plan.strategy });
  wake(stepping, seen.wakeAt);
  const { cluster } = member;
  const clock = run.clockFrom !== null;
  if (seen.to !== undefined) {
    note(stepping, seen.reason, { of: "cluster", index, cluster, to: seen.to });
    const next = rec.clusters[index];
    if (next !== undefined && isInFlight(next.status)) lookAt(stepping, { ...looked, run: next });
  } else if (isInFlight(run.status) && seen.clock !== clock) {
    const reason = seen.clock ? "the deadline clock goes on" : "the deadline clock stands";
    note(stepping, reason, { of: "clock", index, cluster, running: seen.clock });
  }
  if (seen.to === undefined && run.status.is === "Dispatched") reassert(stepping, looked);
}

/** The record says dispatched, the desired state does not yet: the hub died in between. Saying it again is harmless. */
function reassert({ dispatch, rec }: Stepping, { index, member, run, fact }: Looked): void {
  const said = member.moves.every((move) => isOrdered(move, fact.target(move.target), run));
  if (!said && fact.connected) dispatch.push(dispatchOf(rec.plan.run, index, member, run));
}

/** A deferred cluster that is connected again takes its turn, unless its stage has ended: then a later run takes it. */
function comeBack(stepping: Stepping, { index, member, run, fact }: Looked): void {
  const stage = stepping.rec.stages[run.stage];
  if (run.status.is !== "Deferred" || run.status.because === "successor") return;
  if (!fact.connected || fact.cordoned === true) return;
  if (stage === undefined || isConcluded(stage)) return;
  note(stepping, "returned", { of: "cluster", index, cluster: member.cluster, to: { is: "Pending" } });
}
