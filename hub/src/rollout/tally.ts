import { isInFlight, isUnstarted } from "./fold.ts";
import type { ClusterRun, PlannedStage, RunState, StageRun } from "./model.ts";
import { atMost, endured } from "./strategy.ts";

/** The clusters of one stage, counted. */
export interface Tally {
  size: number;
  unstarted: number;
  inFlight: number;
  done: number;
  failed: number;
  deferred: number;
  /** Skipped, removed, rolled back or superseded. */
  left: number;
}

/** What `tally` needs of a state; a recorder has it, too. */
export type Counted = Pick<RunState, "plan" | "stages" | "clusters">;

/** One count for each stage, by the clusters' present membership. Linear in the clusters of the run. */
export function tally(state: Counted): Tally[] {
  const counts = state.plan.stages.map(() => emptyTally());
  for (const run of state.clusters) {
    const count = counts[run.stage];
    if (count !== undefined) add(count, run);
  }
  return counts;
}

/** All stages together. */
export function total(counts: readonly Tally[]): Tally {
  const sum = emptyTally();
  for (const count of counts) {
    for (const name of fields) sum[name] += count[name];
  }
  return sum;
}

const fields = ["size", "unstarted", "inFlight", "done", "failed", "deferred", "left"] as const;

function emptyTally(): Tally {
  return { size: 0, unstarted: 0, inFlight: 0, done: 0, failed: 0, deferred: 0, left: 0 };
}

function add(count: Tally, { status }: ClusterRun): void {
  count.size += 1;
  if (isUnstarted(status)) count.unstarted += 1;
  else if (isInFlight(status)) count.inFlight += 1;
  else if (status.is === "Done") count.done += 1;
  else if (status.is === "Failed") count.failed += 1;
  else if (status.is === "Deferred") count.deferred += 1;
  else count.left += 1;
}

/** The size that shares are taken of: what was frozen, less those that were deferred or left. */
export function denominator(count: Tally): number {
  return count.size - count.deferred - count.left;
}

/** Clusters that the stage may have in flight; null: no limit; 0: a person must unlock it. */
export function stageLimit(stage: PlannedStage, run: StageRun, count: Tally): number | null {
  return run.unlocked ? null : atMost(stage.maxConcurrency, denominator(count));
}

/** Whether more failed than the stage endures. */
export function isBreached(stage: PlannedStage, count: Tally): boolean {
  const limit = endured(stage.maxFailures, denominator(count));
  return limit !== null && count.failed > limit;
}

/** Whether the stage has ended, for now: a retry or a cluster that joins opens it again. */
export function isConcluded({ status }: StageRun): boolean {
  return ["Succeeded", "Failed", "Skipped", "Aborted"].includes(status.phase);
}

/** Whether the stage's turn has come: those before it that are not aside are concluded; before removals, all are. */
export function isOpen(state: Pick<RunState, "plan" | "stages">, stage: number): boolean {
  const kind = state.plan.stages[stage]?.kind;
  for (let before = 0; before < stage; before += 1) {
    const run = state.stages[before];
    const waits = kind === "removals" || state.plan.stages[before]?.aside !== true;
    if (waits && run !== undefined && !isConcluded(run)) return false;
  }
  return true;
}
