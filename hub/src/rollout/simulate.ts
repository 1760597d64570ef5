import type { Chance, ClusterId, Instant, TargetKey } from "@capstan/proto";
import { begin, isOver } from "./fold.ts";
import { approve, report } from "./gate-verbs.ts";
import { gatesOf } from "./gates.ts";
import type { ClusterFact, Dispatch, Facts, Intent, Move, Plan, RunState, TargetFact } from "./model.ts";
import { step } from "./step.ts";
import { start } from "./verbs.ts";
import { why } from "./why.ts";

/** What is assumed of a fleet. */
export interface Assumed {
  /** Share of clusters on which the release falls ill, 0 to 1. */
  readonly failureRate: number;
  /** Share of clusters that are offline, 0 to 1. */
  readonly offlineRate: number;
  /** From dispatch to healthy, milliseconds. */
  readonly applyMs: number;
  readonly chance: Chance;
}

/** What a played run came to. */
export interface Played {
  readonly state: RunState;
  /** Virtual time that passed, milliseconds. */
  readonly tookMs: number;
  /** Why it stands, where it did not end. */
  readonly reason: string;
}

/** More steps than any plan of 5,000 clusters one by one needs. */
const maxSteps = 50_000;
const people: Omit<Intent, "now"> = { actor: "somebody", reason: "assumed" };

/**
 * Plays a plan through in virtual time. People approve at once, metrics are good and calls are answered; clusters fail and
 * are offline by chance. Pure.
 */
export function simulate(plan: Plan, assumed: Assumed): Played {
  const now = plan.plannedAt;
  const fleet = new Virtual(assumed, now);
  for (const { cluster } of plan.clusters) fleet.draw(cluster);
  const begun = start(begin(plan), { ...people, now }).state;
  return play(begun, fleet, maxSteps);
}

/**
 * When a run will have ended if nothing goes wrong from here on: clusters take as long as those before them, gates of
 * people are given at once. Undefined: it stands still, or is too long to be played. Pure.
 */
export function expectedEnd(state: RunState, now: Instant, steps = 2_000): Instant | undefined {
  if (isOver(state.status) || state.status.phase === "Paused" || state.status.phase === "RollingBack") return undefined;
  const fleet = new Virtual({ failureRate: 0, offlineRate: 0, applyMs: usualMs(state), chance: () => 0.5 }, now);
  for (const [index, member] of state.members.entries()) {
    const run = state.clusters[index];
    if (run === undefined || run.dispatchedAt === null) continue;
    const began = Math.min(run.dispatchedAt, now);
    fleet.holds(member.cluster, member.moves, { at: began, generation: run.dispatchedSeq + 1 });
  }
  const { state: end, tookMs } = play(state, fleet, steps);
  return isOver(end.status) ? now + tookMs : undefined;
}

const guessMs = 20_000;

/** How long the clusters of this run took from dispatch to healthy: their median, or a guess. */
function usualMs({ clusters, plan }: RunState): number {
  const took = clusters
    .filter(({ status, dispatchedAt }) => status.is === "Done" && dispatchedAt !== null)
    .map(({ since, dispatchedAt }) => Math.max(0, since - (dispatchedAt ?? since) - plan.strategy.stableForMs))
    .sort((a, b) => a - b);
  return took[Math.floor(took.length / 2)] ?? guessMs;
}

function play(from: RunState, fleet: Virtual, steps: number): Played {
  const began = fleet.now;
  let state = from;
  let reason = "";
  for (let count = 0; count < steps; count += 1) {
    const result = step(state, fleet.facts());
    const progressed = result.transitions.length > 0;
    state = result.state;
    for (const dispatch of result.dispatch) fleet.dispatch(dispatch);
    if (isOver(state.status) || state.status.phase === "Paused") break;
    const answered = answers(state, result.errands, fleet.now);
    state = answered.state;
    if (progressed || answered.any || result.dispatch.length > 0) continue;
    const next = [result.wakeAt, fleet.nextChange()].filter((at) => at !== null);
    if (next.length === 0) break;
    fleet.now = Math.max(fleet.now + 1, Math.min(...next));
  }
  if (!isOver(state.status)) reason = why(state, fleet.facts())?.text ?? "";
  return { state, tookMs: fleet.now - began, reason };
}

/** What people and servers are assumed to say. */
function answers(from: RunState, errands: ReturnType<typeof step>["errands"], now: Instant) {
  let state = from;
  for (const errand of errands) {
    const verdict = errand.work.kind === "metric" ? ("good" as const) : ("sent" as const);
    state = report(state, { ...people, now }, { errand, answer: { verdict, text: "assumed" } }).state;
  }
  let any = errands.length > 0;
  for (const [at, stage] of state.plan.stages.entries()) {
    const run = state.stages[at];
    if (run === undefined) continue;
    for (const { task, run: taskRun, index } of [...gatesOf(stage, run, "before"), ...gatesOf(stage, run, "after")]) {
      if (taskRun.is !== "Waiting") continue;
      const person = task.kind === "approval" || (task.kind === "webhook" && task.callback && taskRun.sentAt !== null);
      if (!person) continue;
      const word = {
        groups: task.kind === "approval" ? task.groups : [],
        plan: "",
        stage: stage.name,
        gate: task.name,
      };
      const actor = `somebody-${taskRun.approvals.length}-${index}`;
      state = approve(state, { ...people, actor, now }, word).state;
      any = true;
    }
  }
  return { state, any };
}

interface VirtualCluster {
  readonly connected: boolean;
  readonly ill: boolean;
  readonly held: Map<TargetKey, { readonly at: Instant; readonly generation: number; readonly move: Move }>;
}

/** Clusters that do what is assumed of them. */
class Virtual {
  now: Instant;
  readonly #assumed: Assumed;
  readonly #since: Instant;
  readonly #clusters = new Map<ClusterId, VirtualCluster>();
  /** When somebody will have something to say, in any order. */
  #due: Instant[] = [];

  constructor(assumed: Assumed, now: Instant) {
    this.#assumed = assumed;
    this.now = now;
    this.#since = now;
  }

  draw(cluster: ClusterId): void {
    const { failureRate, offlineRate, chance } = this.#assumed;
    this.#clusters.set(cluster, { connected: chance() >= offlineRate, ill: chance() < failureRate, held: new Map() });
  }

  holds(cluster: ClusterId, moves: readonly Move[], { at, generation }: { at: Instant; generation: number }): void {
    const known = this.#clusters.get(cluster) ?? { connected: true, ill: false, held: new Map() };
    this.#clusters.set(cluster, known);
    for (const move of moves) known.held.set(move.target, { at, generation, move });
    this.#due.push(at + this.#assumed.applyMs);
  }

  dispatch({ cluster, moves }: Dispatch): void {
    this.holds(cluster, moves, { at: this.now, generation: 2 + this.#revision(cluster) });
  }

  nextChange(): Instant | null {
    this.#due = this.#due.filter((at) => at > this.now);
    return this.#due.length === 0 ? null : this.#due.reduce((least, at) => Math.min(least, at));
  }

  facts(): Facts {
    return { now: this.now, listeningSince: this.#since - 3_600_000, of: (cluster) => this.#fact(cluster) };
  }

  #revision(cluster: ClusterId): number {
    let highest = 0;
    for (const { generation } of this.#clusters.get(cluster)?.held.values() ?? [])
      highest = Math.max(highest, generation);
    return highest;
  }

  #fact(id: ClusterId): ClusterFact {
    const cluster = this.#clusters.get(id);
    const connected = cluster?.connected ?? true;
    return {
      connected,
      lastSeen: connected ? this.now : 0,
      revision: this.#revision(id),
      target: (target) => this.#target(cluster, target),
    };
  }

  #target(cluster: VirtualCluster | undefined, target: TargetKey): TargetFact {
    const held = cluster?.held.get(target);
    if (cluster === undefined || held === undefined) return { desired: null, reported: null };
    const { at, generation, move } = held;
    if (move.to === null) return { desired: null, reported: null };
    const settled = this.now >= at + this.#assumed.applyMs;
    const health = settled ? (cluster.ill ? ("Degraded" as const) : ("Healthy" as const)) : ("Progressing" as const);
    const healthSince = settled ? at + this.#assumed.applyMs : at;
    const error = health === "Degraded" ? "assumed to fail" : "";
    return {
      desired: { generation, content: move.to },
      reported: { generation, phase: "Applied", health, healthSince, error },
    };
  }
}
