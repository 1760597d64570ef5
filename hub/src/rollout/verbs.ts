import type { ClusterId } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import { beginAbort } from "./ending.ts";
import { isInFlight, isOver, isUnstarted, Recorder } from "./fold.ts";
import { endPause, reopenGates } from "./gate-verbs.ts";
import { failedGateText } from "./gate-words.ts";
import { failedGate } from "./gates.ts";
import type { ClusterStatus, Intent, Move, RunPhaseName, RunState, VerbResult } from "./model.ts";
import { breachText } from "./settle.ts";
import { breachOf, isConcluded, tally } from "./tally.ts";

/** Lets a planned run go. */
export function start(state: RunState, intent: Intent): VerbResult {
  expect(state, ["Draft", "Planned"], "start");
  return run(state, intent, (rec, { now, actor, reason }) => {
    rec.note(now, actor, reason, { of: "run", to: { phase: "Running" } });
  });
}

/** Nothing new starts; what is in flight finishes. */
export function pause(state: RunState, intent: Intent): VerbResult {
  expect(state, ["Running", "Held"], "pause");
  return run(state, intent, (rec, { now, actor, reason }) => {
    rec.note(now, actor, reason, { of: "run", to: { phase: "Paused", by: actor, reason, failure: false } });
  });
}

/** Goes on after a pause. Refused while more clusters have failed than a stage endures. */
export function resume(state: RunState, intent: Intent): VerbResult {
  expect(state, ["Paused"], "resume");
  const breach = state.plan.strategy.onFailure === "continue" ? undefined : breachOf(state.plan, tally(state));
  const gate = failedGate(state);
  if (breach !== undefined || gate !== undefined) {
    const why =
      breach !== undefined ? breachText(state, breach) : gate === undefined ? "" : failedGateText(state, gate);
    throw new Fault("held", {
      message: `${state.plan.lane} cannot go on: ${why}.`,
      next: `Use capstan rollout retry, skip or rollback ${state.plan.lane}, or push a fix.`,
    });
  }
  return run(state, intent, (rec, { now, actor, reason }) => {
    rec.note(now, actor, reason, { of: "run", to: { phase: "Running" } });
  });
}

/** Ends the run: nothing new starts, what was not acknowledged is called back, the rest finishes. */
export function abort(state: RunState, intent: Intent): VerbResult {
  expect(state, ["Draft", "Planned", "Running", "Held", "Paused"], "abort");
  return run(state, intent, (rec, given) => beginAbort(rec, given));
}

/** Lets a manual stage (`maxUpdate: 0`) go. Throws `not-found` for an unknown stage's name. */
export function unlock(state: RunState, intent: Intent, stage: string): VerbResult {
  expectOpen(state, "unlock");
  const waits = state.plan.stages.findIndex((one, index) => isLocked(one) && !isConcluded(state.stages[index] ?? none));
  const at = stage === "" && waits >= 0 ? waits : stageNamed(state, stage);
  return run(state, intent, (rec, { now, actor, reason }) => rec.note(now, actor, reason, { of: "unlock", stage: at }));
}

const none = { status: { phase: "Skipped" } } as RunState["stages"][number];

function isLocked({ maxConcurrency }: RunState["plan"]["stages"][number]): boolean {
  return maxConcurrency !== null && ("count" in maxConcurrency ? maxConcurrency.count : maxConcurrency.percent) === 0;
}

/** The same content once more, for clusters that failed, or that were deferred. A pause after failures ends. */
export function retry(state: RunState, intent: Intent, which: "failed" | "deferred"): VerbResult {
  expect(state, ["Running", "Held", "Paused"], "retry");
  const is = which === "failed" ? "Failed" : "Deferred";
  const chosen = (status: ClusterStatus) => status.is === is;
  return again(state, intent, { chosen, to: { is: "Pending" }, what: `${which} clusters to retry` });
}

/** Leaves clusters out that have not started, failed or were deferred. A pause stays, for a person to end. */
export function skip(state: RunState, intent: Intent, clusters: readonly ClusterId[]): VerbResult {
  expectOpen(state, "skip");
  const named = new Set(clusters);
  const flying = state.members.filter((one, at) => named.has(one.cluster) && isInFlight(statusAt(state, at)));
  if (flying.length > 0) {
    throw new Fault("not-now", {
      message: `${flying.map((one) => one.cluster).join(", ")} cannot be skipped: already dispatched.`,
      next: "Wait until it finishes, or abort the run.",
    });
  }
  const chosen = (status: ClusterStatus, cluster: ClusterId) =>
    named.has(cluster) && (isUnstarted(status) || status.is === "Failed" || status.is === "Deferred");
  const reason = intent.reason === "" ? `skipped by ${intent.actor}` : intent.reason;
  return again(state, intent, { chosen, to: { is: "Skipped", reason }, what: "such clusters to skip" });
}

/** Leaves out all of a stage that has not started, failed or was deferred. */
export function skipStage(state: RunState, intent: Intent, name: string): VerbResult {
  const at = stageNamed(state, name);
  const clusters = state.members
    .filter((_, index) => state.clusters[index]?.stage === at && !isInFlight(statusAt(state, index)))
    .map(({ cluster }) => cluster);
  return skip(state, intent, clusters);
}

function stageNamed({ plan }: RunState, name: string): number {
  const at = plan.stages.findIndex((one) => one.name === name);
  if (at >= 0) return at;
  const names = plan.stages.map((one) => one.name).join(", ");
  throw new Fault("not-found", { message: `${plan.run} has no stage ${JSON.stringify(name)}; it has ${names}.` });
}

interface Choice {
  chosen(status: ClusterStatus, cluster: ClusterId): boolean;
  readonly to: ClusterStatus;
  readonly what: string;
}

function again(state: RunState, intent: Intent, choice: Choice): VerbResult {
  return run(state, intent, (rec, { now, actor, reason }) => {
    const reopened = new Set<number>();
    for (const [index, { status, stage }] of state.clusters.entries()) {
      const cluster = state.members[index]?.cluster;
      if (cluster === undefined || !choice.chosen(status, cluster)) continue;
      rec.note(now, actor, reason, { of: "cluster", index, cluster, to: choice.to });
      reopened.add(stage);
    }
    const gates = choice.to.is === "Pending" && reopenGates(rec, { now, actor, reason });
    if (reopened.size === 0 && !gates) {
      throw new Fault("not-found", { message: `${state.plan.run} has no ${choice.what}.` });
    }
    if (choice.to.is === "Pending") reopen(rec, reopened, intent);
  });
}

function reopen(rec: Recorder, stages: ReadonlySet<number>, { now, actor, reason }: Intent): void {
  for (const stage of stages) {
    const run = rec.stages[stage];
    if (run === undefined || !isConcluded(run)) continue;
    rec.note(now, actor, reason, { of: "stage", stage, to: { phase: "Pending" } });
  }
  endPause(rec, { now, actor, reason });
}

/**
 * Clusters that joined while the run goes: their targets are new there, so they are dispatched at once, beside the others.
 * Throws `not-now` where the run has no stage for them (a newer run then takes them).
 */
export function join(state: RunState, intent: Intent, newcomers: readonly Newcomer[]): VerbResult {
  expect(state, ["Planned", "Running", "Held"], "join");
  const stage = state.plan.stages.findIndex((one) => one.kind === "new" || one.kind === "all");
  if (stage < 0) throw new Fault("not-now", { message: `${state.plan.run} has no stage for new clusters.` });
  const known = new Set(state.members.map((member) => member.cluster));
  const fresh = newcomers.filter(({ cluster }) => !known.has(cluster));
  return run(state, intent, (rec, { now, actor, reason }) => {
    for (const { cluster, moves, deadlineMs } of fresh) {
      rec.note(now, actor, reason, { of: "join", member: { cluster, stage, moves, deadlineMs } });
    }
    const target = rec.stages[stage];
    if (fresh.length > 0 && target !== undefined && isConcluded(target)) {
      rec.note(now, actor, reason, { of: "stage", stage, to: { phase: "Pending" } });
    }
  });
}

export interface Newcomer {
  readonly cluster: ClusterId;
  /** All with `from: null`. */
  readonly moves: readonly Move[];
  readonly deadlineMs: number;
}

function statusAt(state: RunState, index: number): ClusterStatus {
  return state.clusters[index]?.status ?? { is: "Pending" };
}

function run(state: RunState, intent: Intent, act: (rec: Recorder, intent: Intent) => void): VerbResult {
  const rec = new Recorder(state);
  act(rec, intent);
  return { state: rec.state(), transitions: rec.transitions };
}

function expectOpen(state: RunState, verb: string): void {
  expect(state, ["Draft", "Planned", "Running", "Held", "Paused"], verb);
}

/** Throws `not-now` when the verb does not fit the run's phase, and says what would. */
function expect(state: RunState, phases: readonly RunPhaseName[], verb: string): void {
  const { phase } = state.status;
  if (phases.includes(phase)) return;
  const over = isOver(state.status);
  throw new Fault("not-now", {
    message: `${verb} expects a run that is ${phases.join(", ")}; ${state.plan.run} is ${phase}.`,
    next: over ? `Start a new one with capstan sync, or capstan rollout rollback ${state.plan.lane}.` : nextOf(phase),
  });
}

function nextOf(phase: RunPhaseName): string {
  switch (phase) {
    case "Paused":
      return "Use capstan rollout resume first.";
    case "Draft":
    case "Planned":
      return "Use capstan rollout start first.";
    case "Running":
    case "Held":
      return "Use capstan rollout pause first.";
    default:
      return "Wait until it has ended.";
  }
}
