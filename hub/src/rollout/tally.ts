import { isInFlight, isUnstarted } from "./fold.ts";
import type { Amount, ClusterRun, PlannedStage, RunState, StageRun } from "./model.ts";
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

/** What was endured no longer: a stage by its place, a whole wave, or the run. */
export interface Breach {
  readonly stage: number;
  readonly over: "stage" | "wave" | "run";
  readonly allowed: Amount;
}

/** The first limit of failures that is passed: of a stage, of its wave, of the run; undefined: none. */
export function breachOf(plan: RunState["plan"], counts: readonly Tally[]): Breach | undefined {
  for (const [at, stage] of plan.stages.entries()) {
    const count = counts[at];
    if (count === undefined || count.failed === 0) continue;
    if (stage.maxFailures !== null && isBreached(stage, count))
      return { stage: at, over: "stage", allowed: stage.maxFailures };
    if (stage.waveFailures === undefined) continue;
    const wave = total(counts.filter((_, other) => isSameWave(plan, at, other)));
    if (wave.failed > (endured(stage.waveFailures, denominator(wave)) ?? 0)) {
      return { stage: at, over: "wave", allowed: stage.waveFailures };
    }
  }
  const most = plan.strategy.maxFailuresTotal ?? null;
  const all = total(counts);
  const first = counts.findIndex(({ failed }) => failed > 0);
  if (most === null || first < 0 || all.failed <= (endured(most, denominator(all)) ?? 0)) return undefined;
  return { stage: first, over: "run", allowed: most };
}

/** Whether two stages go on beside each other. */
export function isSameWave({ stages }: RunState["plan"], a: number, b: number): boolean {
  const wave = stages[a]?.wave;
  return a === b || (wave !== undefined && wave === stages[b]?.wave);
}

/** How a stage's success is measured: over itself, or over all the parts that it covers. */
export interface Score {
  readonly done: number;
  /** Must be done. */
  readonly needed: number;
}

/** What of a stage's minimum is reached; undefined: it has none. */
export function scoreOf({ stages }: RunState["plan"], counts: readonly Tally[], at: number): Score | undefined {
  const stage = stages[at];
  if (stage?.minimum === undefined) return undefined;
  const covered = new Set(stage.covers ?? [at]);
  const all = total(counts.filter((_, index) => covered.has(index)));
  return { done: all.done, needed: endured(stage.minimum, denominator(all)) ?? 0 };
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
    const waits =
      kind === "removals" || (state.plan.stages[before]?.aside !== true && !isSameWave(state.plan, before, stage));
    if (waits && run !== undefined && !isConcluded(run)) return false;
  }
  return true;
}
