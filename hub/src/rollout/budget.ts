import type { Instant } from "@capstan/proto";
import { isInFlight } from "./fold.ts";
import type { PlannedCluster, Rule, RunState } from "./model.ts";
import { amountText, atMost } from "./strategy.ts";
import { denominator, isSameWave, stageLimit, type Tally, total } from "./tally.ts";

const minute = 60_000;

/** A limit that keeps a cluster from starting now. */
export interface Limit {
  readonly rule: Extract<Rule, "held-gate" | "concurrency" | "unavailable" | "rate">;
  readonly text: string;
  readonly unblock: string;
  /** When time alone lifts it. */
  readonly until?: Instant;
}

/** What limits look at: a recorder has it, too. */
export type Limited = Pick<RunState, "plan" | "stages" | "members" | "clusters">;

/** The first limit that keeps the clusters of a stage from starting; undefined: there is room. The smallest wins. */
export function stageFull(state: Limited, counts: readonly Tally[], at: number): Limit | undefined {
  const { plan } = state;
  const stage = plan.stages[at];
  const run = state.stages[at];
  const count = counts[at];
  if (stage === undefined || run === undefined || count === undefined) return undefined;
  const limit = stageLimit(stage, run, count);
  if (limit === 0) {
    const unblock = `capstan rollout unlock ${plan.lane} --stage "${stage.name}"`;
    return { rule: "held-gate", text: `${stage.name} waits for a person: its maxUpdate is 0`, unblock };
  }
  if (limit !== null && count.inFlight >= limit) return crowded(stage.name, count.inFlight, limit);
  if (stage.waveConcurrency !== undefined) {
    const wave = total(counts.filter((_, other) => isSameWave(plan, at, other)));
    const most = atMost(stage.waveConcurrency, denominator(wave));
    if (most !== null && wave.inFlight >= most) return crowded("the groups of its stage", wave.inFlight, most);
  }
  if (plan.strategy.maxConcurrency !== null) {
    const all = total(counts);
    const most = atMost(plan.strategy.maxConcurrency, denominator(all));
    if (most !== null && all.inFlight >= most) return crowded("the run", all.inFlight, most);
  }
  return unavailableLimit(state, count, at);
}

function crowded(where: string, inFlight: number, limit: number): Limit {
  const text = `${where}: ${inFlight} of at most ${limit} clusters are in flight`;
  return { rule: "concurrency", text, unblock: "one of them becomes healthy and stable" };
}

function unavailableLimit(state: Limited, count: Tally, at: number): Limit | undefined {
  const budget = state.plan.stages[at]?.maxUnavailable;
  const most = budget === undefined ? null : atMost(budget, denominator(count));
  if (budget === undefined || most === null) return undefined;
  const ill = unavailable(state, at);
  if (ill < most) return undefined;
  const text = `${ill} clusters are unavailable because of this run (allowed: ${amountText(budget)})`;
  const unblock = `one of them becomes healthy; for those that failed: capstan rollout retry or skip ${state.plan.lane}`;
  return { rule: "unavailable", text, unblock };
}

/** Clusters of a stage that were well and are not known to be so since this run changed them. */
export function unavailable({ clusters }: Pick<RunState, "clusters">, at: number): number {
  return clusters.filter(
    ({ stage, status, ill, attempt }) =>
      stage === at &&
      attempt > 0 &&
      ill !== true &&
      ((isInFlight(status) && status.is !== "Healthy") || status.is === "Failed"),
  ).length;
}

/** Dispatches of the last minute, in all and for each key. */
export interface Recent {
  readonly all: Instant[];
  readonly byKey: Map<string, Instant[]>;
}

/** The dispatches that rates count; cheap where there is no rate. */
export function recentOf({ plan, members, clusters }: Limited, now: Instant): Recent {
  const recent: Recent = { all: [], byKey: new Map() };
  if (plan.strategy.rateLimit === undefined) return recent;
  for (const [index, { dispatchedAt }] of clusters.entries()) {
    if (dispatchedAt !== null && dispatchedAt > now - minute) remember(recent, members[index], dispatchedAt);
  }
  return recent;
}

/** Counts one more dispatch. */
export function remember({ all, byKey }: Recent, member: PlannedCluster | undefined, at: Instant): void {
  all.push(at);
  const key = member?.rateKey;
  if (key === undefined) return;
  byKey.set(key, [...(byKey.get(key) ?? []), at]);
}

/** The rate that keeps one cluster from starting now. */
export function rateFull({ plan }: Pick<RunState, "plan">, recent: Recent, member: PlannedCluster): Limit | undefined {
  const { rateLimit } = plan.strategy;
  if (rateLimit === undefined || plan.emergency !== undefined) return undefined;
  const { perMinute, per } = rateLimit;
  if (perMinute !== null && recent.all.length >= perMinute) return rated(recent.all, `${perMinute} clusters a minute`);
  if (per === null || member.rateKey === undefined) return undefined;
  const same = recent.byKey.get(member.rateKey) ?? [];
  if (same.length < per.perMinute) return undefined;
  return rated(same, `${per.perMinute} clusters a minute where ${per.label} is ${member.rateKey || "not set"}`);
}

function rated(times: readonly Instant[], allowed: string): Limit {
  const until = Math.min(...times) + minute;
  return {
    rule: "rate",
    text: `the rate is used up: ${allowed}`,
    unblock: "nothing: it follows within a minute",
    until,
  };
}
