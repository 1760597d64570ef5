import { isInFlight, isOver, isUnstarted } from "./fold.ts";
import type { Hash, Plan, PlannedCluster, RunState } from "./model.ts";
import { planHash } from "./plan.ts";
import { isConcluded, tally } from "./tally.ts";

/** What is wrong with a plan, one sentence each; empty: sound. Used in tests and before a run is started. */
export function checkPlan(plan: Plan, hash: Hash): string[] {
  const wrong: string[] = [];
  if (planHash(plan, hash) !== plan.hash) wrong.push("the plan's hash is not that of its content");
  const last = plan.stages.length - 1;
  for (const [at, stage] of plan.stages.entries()) {
    const size = plan.clusters.filter((one) => one.stage === at).length;
    if (size !== stage.size) wrong.push(`${stage.name} names ${stage.size} clusters and holds ${size}`);
    if (stage.kind === "removals" && at !== last) wrong.push("removals are not the last stage");
    if (stage.minSuccess > stage.size) wrong.push(`${stage.name} needs more successes than it has clusters`);
  }
  return [...wrong, ...checkOrder(plan), ...checkMoves(plan)];
}

function checkOrder(plan: Plan): string[] {
  const wrong: string[] = [];
  const seen = new Set<string>();
  let before = 0;
  for (const { cluster, stage } of plan.clusters) {
    if (stage < before) wrong.push(`${cluster} is out of order`);
    before = Math.max(before, stage);
    const key = `${cluster} ${stage}`;
    if (seen.has(key)) wrong.push(`${cluster} is twice in stage ${stage}`);
    seen.add(key);
  }
  return wrong;
}

function checkMoves(plan: Plan): string[] {
  const wrong: string[] = [];
  const places = new Set<string>();
  for (const member of plan.clusters) {
    const removes = plan.stages[member.stage]?.kind === "removals";
    if (member.moves.length === 0) wrong.push(`${member.cluster} has nothing to do`);
    for (const move of member.moves) {
      const place = `${member.cluster} ${move.target}`;
      if (places.has(place)) wrong.push(`${place} moves twice`);
      places.add(place);
      if (removes !== (move.to === null)) wrong.push(`${place} is in a stage of the other kind`);
      if (move.to === move.from && plan.origin.kind !== "retry") wrong.push(`${place} moves to where it is`);
    }
  }
  return wrong;
}

/** What is wrong with a run's state, one sentence each; empty: sound. */
export function checkState(state: RunState): string[] {
  const wrong: string[] = [];
  if (state.members.length !== state.clusters.length) wrong.push("members and clusters differ in number");
  if (state.stages.length !== state.plan.stages.length) wrong.push("the state has other stages than the plan");
  const counts = tally(state);
  const over = isOver(state.status);
  for (const [at, run] of state.stages.entries()) {
    const count = counts[at];
    if (count === undefined) continue;
    const name = state.plan.stages[at]?.name ?? at;
    if (over && !isConcluded(run)) wrong.push(`the run has ended, ${name} has not`);
    if (isConcluded(run) && count.unstarted > 0)
      wrong.push(`${name} has ended with ${count.unstarted} clusters unstarted`);
  }
  for (const [index, run] of state.clusters.entries()) {
    const member = state.members[index];
    if (member !== undefined) wrong.push(...checkCluster(state, member, index));
    if (over && (isInFlight(run.status) || isUnstarted(run.status)))
      wrong.push(`${member?.cluster} goes on after the run's end`);
  }
  return wrong;
}

function checkCluster(state: RunState, member: PlannedCluster, index: number): string[] {
  const run = state.clusters[index];
  if (run === undefined) return [];
  const wrong: string[] = [];
  const flying = isInFlight(run.status);
  if (flying && run.attempt === 0) wrong.push(`${member.cluster} is in flight and was never dispatched`);
  if (!flying && run.clockFrom !== null)
    wrong.push(`${member.cluster}'s deadline clock goes although it is ${run.status.is}`);
  if (run.spentMs < 0) wrong.push(`${member.cluster}'s deadline clock is below zero`);
  if (run.status.is === "Done" && run.attempt === 0) wrong.push(`${member.cluster} is done and was never dispatched`);
  if (state.plan.stages[run.stage] === undefined) wrong.push(`${member.cluster} is in no stage`);
  return wrong;
}
