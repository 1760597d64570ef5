import type { Instant } from "@capstan/proto";
import { assertNever } from "@capstan/proto";
import { rateFull, recentOf, stageFull } from "./budget.ts";
import { isInFlight, isOver, isUnstarted } from "./fold.ts";
import { closedTo, whyGate } from "./gate-words.ts";
import { durationText } from "./gates.ts";
import type { ClusterFact, ClusterRun, ClusterStatusName, Facts, PlannedCluster, Reason, RunState } from "./model.ts";
import { offlineForMs, type Step, stepOf, troubleText } from "./observe.ts";
import { soakUntil } from "./soak.ts";
import { isConcluded, isOpen, tally } from "./tally.ts";
import { blockOf } from "./why-run.ts";
import { about, closedReason, reason } from "./why-words.ts";

const shown = 10;

/** The run's first unmet rule; null only when it has ended. Linear in its clusters. */
export function why(state: RunState, facts: Facts): Reason | null {
  if (isOver(state.status)) return null;
  const blocked = blockOf(state, facts);
  if (blocked !== null) return blocked;
  for (let at = 0; at < state.stages.length; at += 1) {
    const stage = state.stages[at];
    if (stage === undefined || isConcluded(stage) || !isOpen(state, at)) continue;
    const reason = stageReason(state, at, facts);
    if (reason !== null) return reason;
  }
  const flying = state.clusters.findIndex(({ status }) => isInFlight(status));
  return (flying < 0 ? null : whyCluster(state, flying, facts)) ?? nextStep(state);
}

/** A stage's first unmet rule; null when it has ended. */
export function whyStage(state: RunState, at: number, facts: Facts): Reason | null {
  const stage = state.stages[at];
  if (stage === undefined || isConcluded(stage) || isOver(state.status)) return null;
  if (!isOpen(state, at)) return earlierStage(state, at);
  return stageReason(state, at, facts) ?? blockOf(state, facts) ?? nextStep(state);
}

/** A cluster's first unmet rule, by its index in `members`; null when it is done, skipped, removed or taken over. */
export function whyCluster(state: RunState, index: number, facts: Facts): Reason | null {
  const run = state.clusters[index];
  const member = state.members[index];
  if (run === undefined || member === undefined) return null;
  const seen: Seen = { state, run, member, facts, fact: facts.of(member.cluster) };
  switch (run.status.is) {
    case "Done":
    case "Skipped":
    case "Removed":
    case "RolledBack":
    case "Superseded":
      return null;
    case "Failed":
      return failed(seen, run.status.message);
    case "Deferred":
      return deferred(seen);
    case "Pending":
    case "Waiting":
      return unstarted(seen);
    case "Dispatched":
    case "Acked":
    case "Applying":
    case "Progressing":
    case "Healthy":
      return inFlight(seen);
    default:
      return assertNever(run.status, "cluster status");
  }
}

interface Seen {
  readonly state: RunState;
  readonly run: ClusterRun;
  readonly member: PlannedCluster;
  readonly facts: Facts;
  readonly fact: ClusterFact | undefined;
}

function stageReason(state: RunState, at: number, facts: Facts): Reason | null {
  const indices = state.clusters.flatMap((run, index) => (run.stage === at ? [index] : []));
  const flying = indices.filter((index) => isInFlight(state.clusters[index]?.status ?? { is: "Pending" }));
  const first =
    slowest(state, flying) ?? indices.find((index) => isUnstarted(state.clusters[index]?.status ?? { is: "Removed" }));
  if (first === undefined) return whySoak(state, at, facts) ?? whyGate(state, at, facts);
  if (flying.length === 0 && state.stages[at]?.status.phase === "BeforeTasks") {
    const gate = whyGate(state, at, facts);
    if (gate !== null) return gate;
  }
  const found = whyCluster(state, first, facts);
  if (found === null || flying.length < 2) return found;
  const clusters = flying.slice(0, shown).flatMap((index) => state.members[index]?.cluster ?? []);
  const text = `${state.plan.stages[at]?.name ?? "stage"}: ${flying.length} clusters are in flight; ${found.text}`;
  return { ...found, text, clusters };
}

function whySoak(state: RunState, at: number, facts: Facts): Reason | null {
  const run = state.stages[at];
  const until = run?.status.phase === "Soaking" ? soakUntil(state, at) : null;
  if (run === undefined || until === null) return null;
  const name = state.plan.stages[at]?.name ?? "stage";
  const text = `${name} soaks: healthy for ${durationText(Math.max(0, until - facts.now))} more`;
  const unblock = `nothing falls ill until then, or capstan rollout promote ${state.plan.lane}`;
  return { ...reason("soak", text, run.since, unblock), until };
}

/** The one that is least far: it is what the others will be waiting for. */
function slowest(state: RunState, flying: readonly number[]): number | undefined {
  const rank = (index: number) => order.indexOf(state.clusters[index]?.status.is ?? "Healthy");
  return flying.reduce((a: number | undefined, b) => (a === undefined || rank(b) < rank(a) ? b : a), undefined);
}

const order: readonly ClusterStatusName[] = ["Dispatched", "Acked", "Applying", "Progressing", "Healthy"];

function failed({ run, member, state }: Seen, message: string): Reason {
  const next = `capstan rollout retry ${state.plan.lane} --failed, capstan rollout rollback ${state.plan.lane}, or push a fix`;
  return about(member, "failed", `${member.cluster} failed: ${message}`, run.since, next);
}

function deferred({ run, member, fact }: Seen): Reason {
  if (run.status.is === "Deferred" && run.status.because === "successor") {
    return about(
      member,
      "successor",
      `${member.cluster}: ${successorText(member)}`,
      run.since,
      "the new place becomes healthy",
    );
  }
  const back = fact?.connected === true ? "is back and catches up in a later run" : "is offline and was deferred";
  return about(
    member,
    "offline",
    `${member.cluster} ${back}`,
    run.since,
    `${member.cluster} connects again; it then catches up by itself`,
  );
}

function unstarted(seen: Seen): Reason {
  const { state, run, member, facts, fact } = seen;
  const blocked = blockOf(state, facts);
  if (blocked !== null) return blocked;
  if (!isOpen(state, run.stage)) return { ...earlierStage(state, run.stage), clusters: [member.cluster] };
  if (fact !== undefined && !fact.connected) return notConnected(seen, fact);
  const gate = state.stages[run.stage]?.status.phase === "BeforeTasks" ? whyGate(state, run.stage, facts) : null;
  if (gate !== null) return { ...gate, clusters: [member.cluster] };
  const closed = closedTo(state.plan, member, facts);
  if (closed !== undefined) return closedReason(member, closed, run.since);
  const since = state.stages[run.stage]?.since ?? run.since;
  const limit = stageFull(state, tally(state), run.stage) ?? rateFull(state, recentOf(state, facts.now), member);
  if (limit !== undefined) {
    const until = limit.until === undefined ? {} : { until: limit.until };
    return { ...about(member, limit.rule, limit.text, since, limit.unblock), ...until };
  }
  return removalReason(seen) ?? { ...nextStep(state), clusters: [member.cluster] };
}

function removalReason({ member, facts, run }: Seen): Reason | null {
  for (const move of member.moves) {
    const held = move.to === null ? facts.heldRemoval?.(member.cluster, move.target) : undefined;
    if (held !== undefined)
      return about(member, "held-delete-guard", held, run.since, "a person approves exactly that list");
  }
  if (!member.moves.some((move) => move.successor !== undefined)) return null;
  return about(
    member,
    "successor",
    `${member.cluster}: ${successorText(member)}`,
    run.since,
    "the new place becomes healthy",
  );
}

function successorText(member: PlannedCluster): string {
  const move = member.moves.find((one) => one.successor !== undefined);
  return move === undefined
    ? "a target's new place is not healthy"
    : `${move.target} moves to ${move.successor} and is not healthy there`;
}

function notConnected({ member, facts, state }: Seen, fact: ClusterFact): Reason {
  const wait = Math.max(0, Math.round((state.plan.strategy.offlineAfterMs - offlineForMs(fact, facts)) / 1000));
  const text = `${member.cluster} is not connected; it is deferred in ${wait} s`;
  return about(
    member,
    "offline",
    text,
    Math.max(fact.lastSeen, facts.listeningSince),
    `${member.cluster} connects again`,
  );
}

function inFlight(seen: Seen): Reason {
  const { run, member, fact, facts, state } = seen;
  if (fact !== undefined && !fact.connected) return notConnected(seen, fact);
  const steps = fact === undefined ? [] : member.moves.map((move) => stepOf(move, { run, fact, facts }));
  const at = steps.findIndex((step) => step.at !== "healthy" && step.at !== "settled");
  const step = steps[at];
  const target = member.moves[at]?.target ?? "";
  if (step === undefined) {
    const until = stableAt(seen, steps);
    const left = Math.max(0, Math.round((until - facts.now) / 1000));
    return about(
      member,
      "stable",
      `${member.cluster} is healthy; it counts as done in ${left} s`,
      run.since,
      `${Math.round(state.plan.strategy.stableForMs / 1000)} s without a flap`,
    );
  }
  if (step.at === "sent") return sent(seen, at);
  const place = `${member.cluster} ${target}`;
  const trouble = troubleText([step]);
  if (step.at === "held")
    return about(
      member,
      "agent-holds",
      `${place}: the agent holds it: ${trouble}`,
      run.since,
      "what the agent names is over",
    );
  if (step.at === "acked" || step.at === "applying")
    return about(member, "applying", `${place}: being applied`, run.since, "the apply ends");
  return about(
    member,
    "health",
    `${place}: ${trouble}`,
    run.since,
    "it becomes healthy before its deadline, or the run stops",
  );
}

function stableAt({ run, state }: Seen, steps: readonly Step[]): Instant {
  const from = steps.reduce((last, step) => (step.at === "healthy" ? Math.max(last, step.since) : last), run.since);
  return from + state.plan.strategy.stableForMs;
}

function sent({ member, run }: Seen, at: number): Reason {
  const move = member.moves[at];
  if (move?.to === null)
    return about(
      member,
      "removal",
      `${member.cluster}: ${move.target} is being removed`,
      run.since,
      "the agent confirms it",
    );
  return about(
    member,
    "acknowledgement",
    `${member.cluster} has not taken its new desired state yet`,
    run.since,
    "the agent reports the new generation",
  );
}

function earlierStage(state: RunState, at: number): Reason {
  const before = state.stages.findIndex(
    (run, index) => index < at && !isConcluded(run) && !isOpenAside(state, index, at),
  );
  const name = state.plan.stages[before]?.name ?? "an earlier stage";
  const mine = state.plan.stages[at]?.name ?? "this stage";
  return reason(
    "earlier-stage",
    `${mine} comes after ${name}`,
    state.stages[before]?.since ?? state.since,
    `${name} ends without failures`,
  );
}

function isOpenAside(state: RunState, before: number, at: number): boolean {
  return state.plan.stages[before]?.aside === true && state.plan.stages[at]?.kind !== "removals";
}

function nextStep(state: RunState): Reason {
  return reason(
    "next-step",
    `${state.plan.lane} goes on with the next step`,
    state.since,
    "nothing: it follows at once",
  );
}
