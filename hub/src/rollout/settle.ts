import { beginAbort } from "./ending.ts";
import { gateText } from "./gate-words.ts";
import { type Gate, workGates } from "./gates.ts";
import type { HeldOn, PlannedStage, RunState, StagePhase } from "./model.ts";
import { soakUntil } from "./soak.ts";
import { note, type Stepping, self, wake } from "./stepping.ts";
import { amountText, counted } from "./strategy.ts";
import { type Breach, denominator, isSameWave, scoreOf, stageLimit, type Tally } from "./tally.ts";

/** What holds a run although nothing is in flight. */
export interface Hold {
  readonly on: HeldOn;
  readonly reason: string;
}

/** Stops the run as its strategy says: a rollback begins as a pause, and the shell carries it out. */
export function stop(stepping: Stepping, reason: string): void {
  const { rec, facts } = stepping;
  if (rec.plan.strategy.onFailure === "abort") beginAbort(rec, { now: facts.now, actor: self, reason });
  else note(stepping, reason, { of: "run", to: { phase: "Paused", by: self, reason, failure: true } });
}

/** `canary prod-us-2 failed (allowed: 0 failures)`. */
export function breachText(state: Pick<RunState, "plan" | "members" | "clusters">, breach: Breach): string {
  const { stage: at, over, allowed } = breach;
  const counts = (stage: number) =>
    over === "run" || (over === "wave" ? isSameWave(state.plan, at, stage) : stage === at);
  const failed = state.members
    .filter((_, i) => state.clusters[i]?.status.is === "Failed" && counts(state.clusters[i]?.stage ?? -1))
    .map((member) => member.cluster);
  const names =
    failed.length > 3 ? `${failed.slice(0, 3).join(", ")} and ${failed.length - 3} more` : failed.join(", ");
  const where = { stage: "", wave: " over its groups", run: " over the run" }[over];
  const stage = over === "run" ? "the run:" : (state.plan.stages[at]?.name ?? "stage");
  return `${stage} ${names} failed (allowed: ${amountText(allowed)} failures${where})`;
}

/** Names the phase of a stage that dispatched what it could; what it waits for without clusters in flight comes back. */
export function settleStage(stepping: Stepping, counts: readonly Tally[], at: number, held: boolean): Hold | undefined {
  const { rec } = stepping;
  const stage = rec.plan.stages[at];
  const run = rec.stages[at];
  const count = counts[at];
  if (stage === undefined || run === undefined || count === undefined) return undefined;
  const score = scoreOf(rec.plan, counts, at);
  const short = score !== undefined && score.done < score.needed;
  const full = stagePhase(stage, count, stageLimit(stage, run, count), held);
  const to = full.phase === "Succeeded" && short ? ({ phase: "Failed" } as const) : full;
  if (to.phase !== "Succeeded") {
    settlePhase(stepping, at, { to, reason: stageReason(to, count) });
    if (to.phase === "Failed" && short) {
      stop(stepping, `${stage.name}: ${score.done} of ${score.needed} clusters that must succeed did`);
    }
    return undefined;
  }
  const until = soakUntil(rec, at);
  if (until !== null && until > stepping.facts.now) {
    wake(stepping, until);
    settlePhase(stepping, at, { to: { phase: "Soaking" }, reason: countText(count) });
    return undefined;
  }
  const gate: Gate | undefined = workGates(stepping, at, "after");
  const phase = gate === undefined ? "Succeeded" : "AfterTasks";
  settlePhase(stepping, at, { to: { phase }, reason: gate?.task.name ?? countText(count) });
  return gate === undefined ? undefined : { on: "gate", reason: gateText(rec.plan, at, gate) };
}

/** Records a stage's phase, where it is another one. */
export function settlePhase(
  stepping: Stepping,
  at: number,
  { to, reason }: { readonly to: StagePhase; readonly reason: string },
): void {
  const run = stepping.rec.stages[at];
  if (run === undefined || isSame(to, run.status)) return;
  note(stepping, reason, { of: "stage", stage: at, to });
}

function stagePhase(stage: PlannedStage, count: Tally, limit: number | null, held: boolean): StagePhase {
  if (count.unstarted > 0 || held) return { phase: "Dispatching", limit, of: denominator(count) };
  if (count.inFlight > 0) return { phase: "Verifying" };
  if (stage.kind === "gate") return { phase: "Succeeded" };
  if (count.size === count.left) return { phase: "Skipped" };
  const nothing = count.done === 0 && count.failed > 0;
  return { phase: nothing || (count.failed > 0 && stage.minSuccess > count.done) ? "Failed" : "Succeeded" };
}

function isSame(a: StagePhase, b: StagePhase): boolean {
  if (a.phase !== "Dispatching" || b.phase !== "Dispatching") return a.phase === b.phase;
  return a.limit === b.limit && a.of === b.of;
}

function stageReason(to: StagePhase, count: Tally): string {
  if (to.phase !== "Dispatching") return to.phase === "Verifying" ? "all are dispatched" : countText(count);
  return to.limit === null
    ? `${counted(to.of, "cluster")}, no limit`
    : `at most ${to.limit} of ${counted(to.of, "cluster")} at once`;
}

/** `7 done, 1 failed, 2 deferred`. */
export function countText(count: Tally): string {
  const parts = [`${count.done} done`];
  if (count.failed > 0) parts.push(`${count.failed} failed`);
  if (count.deferred > 0) parts.push(`${count.deferred} deferred`);
  if (count.left > 0) parts.push(`${count.left} left out`);
  return parts.join(", ");
}
