import { type Chance, type Clock, Fault, parseTargetKey } from "@capstan/proto";
import { splitLane } from "./facts.ts";
import { begin, isOver } from "./fold.ts";
import { endedBadly, isAsDecided, isEmptied, mayMove, runIdOf } from "./follow.ts";
import type { KeptRun, Lane, Wanted } from "./lane-run.ts";
import type { Emergency, Facts, Intent, PlanInput, RunState, Strategy } from "./model.ts";
import { plan } from "./plan.ts";
import type { ClusterView } from "./port.ts";
import { followUp, returned } from "./rollback.ts";
import type { RunLog, RunLogOptions } from "./run-log.ts";
import { giveWay, supersede } from "./supersede.ts";
import { start } from "./verbs.ts";

/** What beginning runs needs. */
export interface OpeningOptions extends RunLogOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly clusters: ClusterView;
  /** `careful`, `AllAtOnce`, or a RolloutStrategy by `NAME` or `NAMESPACE/NAME`. Throws where it is not there. */
  strategyNamed(reference: string, namespace: string): Strategy;
  /** Nothing new begins while it is true: a rebuild waits for a person. */
  isHeld(): boolean;
  /** What has to leave clusters is not known whole yet: nothing that removes begins, so that the guard sees all of it. */
  isSurveying(): boolean;
}

/** Begins runs: of what people want, of clusters that came back, and of people in a hurry. */
export class Openings {
  readonly #options: OpeningOptions;
  readonly #log: RunLog;

  constructor(options: OpeningOptions, log: RunLog) {
    this.#options = options;
    this.#log = log;
  }

  /** The run that the wanted release would start, as planned now, perhaps by another strategy; changes nothing. */
  planWanted(lane: Lane, strategy: string): RunState {
    const { key, wanted } = lane;
    if (wanted === undefined) {
      throw new Fault("not-now", {
        message: `what ${key} should be is not worked out yet.`,
        next: "Look at it again in a moment.",
      });
    }
    const now = this.#options.clock.now();
    const { namespace } = parseTargetKey(splitLane(key).owner);
    const other = strategy === "" ? wanted.strategy : this.#options.strategyNamed(strategy, namespace);
    return begin(
      plan(this.#inputOf(lane, { ...wanted, strategy: other }, { now, actor: "capstan" }), this.#options.hash),
    );
  }

  /** Break-glass: the wanted release at once past gates, soaks, windows and rates; a run under way gives way to it. */
  async emergency(lane: Lane, emergency: Emergency, signal: AbortSignal): Promise<void> {
    const { key, wanted, run } = lane;
    const begins = this.planWanted(lane, "");
    if (wanted === undefined || begins.members.length === 0) {
      throw new Fault("not-now", {
        message: `${key} is as it should be: nothing would move.`,
        next: "Nothing is to be done.",
      });
    }
    const now = this.#options.clock.now();
    if (run !== undefined && !isOver(run.state.status)) {
      const intent = { now, actor: emergency.by, reason: `an emergency run: ${emergency.reason}` };
      await this.#log.record(lane, run, giveWay(run.state, begins.plan.run, intent), signal);
    }
    lane.released = { lane: key, release: wanted.release.id, by: emergency.by, at: now, emergency };
    await this.#openRelease(lane, wanted, signal);
  }

  /** Begins a run where the lane should move: a new release, or clusters that came back. */
  async follow(lane: Lane, facts: Facts, signal: AbortSignal): Promise<void> {
    await this.#begin(lane, signal);
    if (this.#options.isHeld() || (lane.leaving.length > 0 && this.#options.isSurveying())) return;
    const { wanted, run } = lane;
    const over = run === undefined || isOver(run.state.status);
    if (!over && wanted !== undefined && isEmptied(lane, wanted, this.#options.assignments)) {
      const intent = {
        now: this.#options.clock.now(),
        actor: "capstan",
        reason: "its targets belong to another lane now",
      };
      await this.#log.record(lane, run, giveWay(run.state, run.state.plan.run, intent), signal);
      return;
    }
    if (wanted !== undefined && mayMove(lane, wanted)) {
      if (over) await this.#openRelease(lane, wanted, signal);
      else if (run.state.plan.release !== wanted.release.id) await this.#supersede(lane, run, wanted, signal);
    }
    if (run !== undefined && run === lane.run && over) await this.#catchUp(lane, { run, facts }, signal);
  }

  /** A hub that died between planning and starting left a run behind that nobody would start. */
  async #begin(lane: Lane, signal: AbortSignal): Promise<void> {
    const { run } = lane;
    if (run?.state.status.phase !== "Planned") return;
    const { actor, reason } = run.state.plan;
    await this.#log.record(lane, run, start(run.state, { now: this.#options.clock.now(), actor, reason }), signal);
  }

  async #openRelease(lane: Lane, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const last = lane.run?.state;
    const same = last?.plan.release === wanted.release.id;
    if (same && last.status.phase.startsWith("Succeeded") && isAsDecided(lane, wanted, this.#options.assignments))
      return;
    const letGo = lane.released?.release === wanted.release.id ? lane.released : undefined;
    const input = this.#inputOf(lane, wanted, { now, actor: letGo?.by ?? "capstan" });
    await this.#dropPin(lane, signal);
    const { emergency } = letGo ?? {};
    await this.#open(lane, emergency === undefined ? input : { ...input, emergency, reason: emergency.reason }, signal);
    if (lane.unplanned === undefined) await this.#log.settle(lane, signal);
  }

  #inputOf(lane: Lane, wanted: Wanted, { now, actor }: Pick<Intent, "now" | "actor">): PlanInput {
    return {
      run: runIdOf(lane.key, { now, chance: this.#options.chance }),
      origin: { kind: "release" },
      now,
      actor,
      reason: wanted.release.cause.subject,
      release: wanted.release,
      previous: lane.run?.state.plan.release ?? null,
      current: this.#options.assignments.ofLane(lane.key),
      clusters: this.#options.clusters.all(),
      strategy: wanted.strategy,
    };
  }

  /** What cannot be planned (a strategy that refuses a cluster) holds the lane, and says so. */
  async #open(lane: Lane, input: PlanInput, signal: AbortSignal): Promise<void> {
    try {
      await this.#log.open(lane, input, signal);
      lane.unplanned = undefined;
    } catch (thrown) {
      this.#unplanned(lane, thrown);
    }
  }

  /** What cannot be planned takes nobody's place. */
  #isPlannable(lane: Lane, wanted: Wanted): boolean {
    try {
      const intent = { now: this.#options.clock.now(), actor: "capstan" };
      plan(this.#inputOf(lane, wanted, intent), this.#options.hash);
      return true;
    } catch (thrown) {
      this.#unplanned(lane, thrown);
      return false;
    }
  }

  #unplanned(lane: Lane, thrown: unknown): void {
    const fault = Fault.from(thrown, "internal");
    if (fault.code !== "bad-input") throw thrown;
    const since = lane.unplanned?.since ?? this.#options.clock.now();
    const unblock = fault.next ?? "Mend the strategy.";
    lane.unplanned = { rule: "plan", text: fault.message, since, unblock, clusters: [] };
  }

  /** A rollback by itself held the lane only against what it took back. */
  async #dropPin(lane: Lane, signal: AbortSignal): Promise<void> {
    if (lane.pin?.untilOther !== true) return;
    await this.#options.store.deletePin(lane.key, signal);
    lane.pin = undefined;
  }

  async #supersede(lane: Lane, run: KeptRun, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const newer = runIdOf(lane.key, { now, chance: this.#options.chance });
    const result = supersede(run.state, newer, { now, actor: "capstan", reason: "" });
    if (result.decision === "queue" || !this.#isPlannable(lane, wanted)) return;
    await this.#log.record(lane, run, result, signal);
    await this.#openRelease(lane, wanted, signal);
  }

  /** Deferred clusters of an ended run that are back go on in a child run, under their own budget. Not what was refused. */
  async #catchUp(
    lane: Lane,
    { run, facts }: { readonly run: KeptRun; readonly facts: Facts },
    signal: AbortSignal,
  ): Promise<void> {
    if (run.state.plan.origin.kind !== "rollback" && endedBadly(run.state)) return;
    const { ready } = returned(run.state, facts);
    const newer =
      lane.pin === undefined && lane.wanted !== undefined && lane.wanted.release.id !== run.state.plan.release;
    if (ready.length === 0 || newer) return;
    const now = this.#options.clock.now();
    const input = followUp(
      run.state,
      { now, actor: "capstan", reason: "back after it was offline" },
      {
        run: runIdOf(lane.key, { now, chance: this.#options.chance }),
        kind: "catch-up",
        only: ready,
        current: this.#options.assignments.ofLane(lane.key),
        clusters: this.#options.clusters.all(),
      },
    );
    await this.#log.open(lane, input, signal);
  }
}
