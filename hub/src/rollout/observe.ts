import type { Instant } from "@capstan/proto";
import { elapsedMs, isInFlight } from "./fold.ts";
import type {
  ClusterFact,
  ClusterRun,
  ClusterStatus,
  Facts,
  Move,
  PlannedCluster,
  Strategy,
  TargetFact,
  TargetReport,
} from "./model.ts";

/** A workload that was degraded before the dispatch is given so long after the acknowledgement. */
const oldTroubleMs = 60_000;

/** What is seen of one cluster of a run. */
export interface Sight {
  readonly member: PlannedCluster;
  readonly run: ClusterRun;
  readonly fact: ClusterFact;
  readonly facts: Facts;
  readonly strategy: Strategy;
}

/** What an observation leads to. `to` undefined: its status stays. */
export interface Seen {
  readonly to: ClusterStatus | undefined;
  readonly reason: string;
  /** Whether the deadline clock should go. */
  readonly clock: boolean;
  /** When time alone would change the answer. */
  readonly wakeAt: Instant | null;
}

/** How far one target is, at the dispatched content; what an older generation says is not looked at. */
export type Step =
  | { readonly at: "sent" }
  | { readonly at: "acked" | "held" | "applying" | "progressing"; readonly report: TargetReport }
  | { readonly at: "healthy"; readonly since: Instant; readonly generation: number }
  /** Nothing to wait for: it is gone, or its cluster only observes. */
  | { readonly at: "settled"; readonly generation: number }
  | { readonly at: "failed"; readonly because: "apply" | "health"; readonly report: TargetReport };

/** How long the cluster has been out of reach; 0 while it is connected. */
export function offlineForMs(fact: ClusterFact, facts: Facts): number {
  return fact.connected ? 0 : Math.max(0, facts.now - Math.max(fact.lastSeen, facts.listeningSince));
}

/** The next status of a cluster that was dispatched (in flight, or deferred since). */
export function observe(sight: Sight): Seen {
  const { run, fact, facts, strategy, member } = sight;
  const steps = member.moves.map((move) => stepOf(move, sight));
  if (run.status.is === "Deferred") return comeBack(sight, steps);
  if (!fact.connected) {
    const left = strategy.offlineAfterMs - offlineForMs(fact, facts);
    const deferred: ClusterStatus = { is: "Deferred", because: "offline", dispatched: true };
    const to = strategy.offlinePolicy === "fail" ? (offlineStatus(strategy) ?? deferred) : deferred;
    if (left <= 0) return { to, reason: "offline", clock: false, wakeAt: null };
    return stay(false, facts.now + left);
  }
  const failed = steps.find((step) => step.at === "failed");
  if (failed !== undefined) return failure(failed.because, worst(failed.report, failed.because));
  const clock = !steps.some((step) => step.at === "held");
  const next = statusOf(steps, sight);
  const late = elapsedMs(run, facts.now) >= member.deadlineMs;
  if (clock && late && next.to?.is !== "Done" && next.to?.is !== "Healthy" && run.status.is !== "Healthy") {
    return failure("deadline", lateText(steps, member.deadlineMs));
  }
  return { ...next, clock, wakeAt: next.wakeAt ?? (clock ? deadlineAt(sight, steps) : null) };
}

/** When the deadline, or the patience with an old trouble, ends. */
function deadlineAt({ run, member, facts }: Sight, steps: readonly Step[]): Instant {
  const left = member.deadlineMs - elapsedMs(run, facts.now);
  const trouble = steps.some((step) => "report" in step && step.report.health === "Degraded");
  const patience = oldTroubleMs - elapsedMs(run, facts.now);
  return facts.now + Math.max(1, trouble && patience > 0 ? Math.min(left, patience) : left);
}

/** One that was deferred in flight goes on where its agent now says it is. */
function comeBack({ fact }: Sight, steps: readonly Step[]): Seen {
  const quiet = stay(false, null);
  if (!fact.connected || steps.some((step) => step.at === "sent")) return quiet;
  return { to: { is: "Acked", generation: generationOf(steps) }, reason: "returned", clock: true, wakeAt: null };
}

function statusOf(steps: readonly Step[], sight: Sight): Omit<Seen, "clock"> {
  const { run } = sight;
  const generation = generationOf(steps);
  const none = { to: undefined, reason: "", wakeAt: null };
  if (steps.some((step) => step.at === "sent")) {
    // Gone back behind its acknowledgement: the agent lost what it had. It is looked at anew, never dispatched again.
    return run.status.is === "Healthy"
      ? { to: { is: "Acked", generation }, reason: "no longer reported", wakeAt: null }
      : none;
  }
  const settled = steps.every((step) => step.at === "settled");
  if (settled) return { to: { is: "Done", generation }, reason: "nothing left to wait for", wakeAt: null };
  if (steps.every((step) => step.at === "healthy" || step.at === "settled")) return healthy(steps, sight, generation);
  const at = ranks.find((name) => steps.some((step) => step.at === name)) ?? "progressing";
  const is = at === "applying" ? "Applying" : at === "progressing" ? "Progressing" : "Acked";
  const forward = order.indexOf(is) > order.indexOf(run.status.is);
  if (run.status.is === "Healthy") {
    const reason = `no longer healthy: ${troubleText(steps)}`;
    return { to: { is: "Progressing", generation }, reason, wakeAt: null };
  }
  return forward ? { to: { is, generation }, reason: "reported", wakeAt: null } : none;
}

const ranks = ["held", "acked", "applying", "progressing"] as const;
const order: readonly ClusterStatus["is"][] = ["Dispatched", "Acked", "Applying", "Progressing", "Healthy", "Done"];

/** Healthy counts from when it was recorded, or from the last flap, whichever is later. */
function healthy(steps: readonly Step[], sight: Sight, generation: number): Omit<Seen, "clock"> {
  const { run, facts, strategy } = sight;
  const recorded = run.status.is === "Healthy" ? run.since : facts.now;
  const since = steps.reduce((last, step) => (step.at === "healthy" ? Math.max(last, step.since) : last), recorded);
  const stableAt = since + strategy.stableForMs;
  if (facts.now >= stableAt) return { to: { is: "Done", generation }, reason: "healthy and stable", wakeAt: null };
  const to: ClusterStatus | undefined = run.status.is === "Healthy" ? undefined : { is: "Healthy", generation };
  return { to, reason: "healthy", wakeAt: stableAt };
}

/** Where one move stands. Only reports at the generation that the desired state gave this content are believed. */
export function stepOf(move: Move, sight: Pick<Sight, "run" | "fact" | "facts">): Step {
  const fact = sight.fact.target(move.target);
  if (fact.elsewhere === true) return { at: "settled", generation: sight.fact.revision };
  if (move.to === null) {
    const gone = fact.desired === null && fact.reported === null;
    return gone ? { at: "settled", generation: sight.fact.revision } : { at: "sent" };
  }
  const { reported } = fact;
  if (reported === null || !isOrdered(move, fact, sight.run) || fact.desired === null) return { at: "sent" };
  if (reported.generation < fact.desired.generation) return { at: "sent" };
  return reportedStep(reported, sight);
}

/** Whether the desired state says what this run's dispatch asked for; a retry asks for a new generation, too. */
export function isOrdered(move: Move, fact: TargetFact, run: ClusterRun): boolean {
  if (fact.elsewhere === true) return true;
  if (move.to === null) return fact.desired === null;
  if (fact.desired?.content !== move.to) return false;
  return !isAgain(move, run) || fact.desired.generation > run.dispatchedSeq;
}

/** Whether the same content is to be applied once more. */
export function isAgain(move: Move, run: ClusterRun): boolean {
  return move.to !== null && (run.attempt > 1 || move.from === move.to);
}

function reportedStep(report: TargetReport, { run, facts }: Pick<Sight, "run" | "facts">): Step {
  switch (report.phase) {
    case "Failed":
      return { at: "failed", because: "apply", report };
    case "Held":
      return { at: "held", report };
    case "Pending":
      return { at: "acked", report };
    case "Applying":
      return { at: "applying", report };
    case "Observed":
      return { at: "settled", generation: report.generation };
    case "Applied":
      break;
  }
  if (report.health === "Healthy") return { at: "healthy", since: report.healthSince, generation: report.generation };
  if (report.health !== "Degraded") return { at: "progressing", report };
  const acked = isInFlight(run.status) && run.status.is !== "Dispatched";
  const old = run.dispatchedAt !== null && report.healthSince < run.dispatchedAt;
  const patient = old && (!acked || elapsedMs(run, facts.now) < oldTroubleMs);
  return patient ? { at: "progressing", report } : { at: "failed", because: "health", report };
}

function generationOf(steps: readonly Step[]): number {
  return steps.reduce((highest, step) => Math.max(highest, step.at === "sent" ? 0 : stepGeneration(step)), 0);
}

function stepGeneration(step: Exclude<Step, { at: "sent" }>): number {
  return "report" in step ? step.report.generation : step.generation;
}

function failure(because: "apply" | "health" | "deadline", message: string): Seen {
  const reason = because === "deadline" ? "deadline passed" : `${because} failed`;
  return { to: { is: "Failed", because, message }, reason, clock: false, wakeAt: null };
}

function worst(report: TargetReport, because: "apply" | "health"): string {
  if (report.error !== "") return report.error;
  return because === "apply" ? "the apply failed; the agent named no error" : `health is ${report.health}`;
}

function lateText(steps: readonly Step[], deadlineMs: number): string {
  return `not healthy within ${Math.round(deadlineMs / 1000)} s: ${troubleText(steps)}`;
}

/** What the first target that is not healthy says. */
export function troubleText(steps: readonly Step[]): string {
  const step = steps.find((one) => one.at !== "healthy" && one.at !== "settled");
  if (step === undefined) return "healthy again";
  if (step.at === "sent") return "the agent has not taken it yet";
  return step.report.error === "" ? `health is ${step.report.health}` : step.report.error;
}

function stay(clock: boolean, wakeAt: Instant | null): Seen {
  return { to: undefined, reason: "", clock, wakeAt };
}

/** What becomes of an offline cluster that is not deferred. */
export function offlineStatus({
  offlinePolicy,
}: Strategy): Extract<ClusterStatus, { is: "Failed" | "Skipped" }> | undefined {
  if (offlinePolicy === "fail") return { is: "Failed", because: "policy", message: "it is offline" };
  return offlinePolicy === "skip" ? { is: "Skipped", reason: "it is offline" } : undefined;
}

/** Whether a target is healthy at what its desired state names, whoever brought it there. */
export function isHealthyThere({ desired, reported }: TargetFact): boolean {
  if (desired === null || reported === null || reported.generation < desired.generation) return false;
  return reported.phase === "Observed" || (reported.phase === "Applied" && reported.health === "Healthy");
}
