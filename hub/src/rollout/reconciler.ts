import {
  type Chance,
  type Clock,
  type ClusterId,
  type Digest,
  done,
  Fault,
  KeyedLoop,
  type Outcome,
} from "@capstan/proto";
import type { TargetContent } from "../targets/content.ts";
import { carryOut } from "./carry-out.ts";
import { factsOf } from "./facts.ts";
import { begin, isOver } from "./fold.ts";
import { endedBadly, isAsDecided, isEmptied, mayMove, runIdOf, sameRelease } from "./follow.ts";
import { contentIn, type KeptRun, type Lane, olderRelease, requireRun, type Wanted } from "./lane-run.ts";
import { type LaneStatus, laneStatus } from "./lane-status.ts";
import {
  type Facts,
  type Intent,
  type LaneKey,
  type Pin,
  type RollbackScope,
  type RunId,
  type RunState,
  type VerbResult,
} from "./model.ts";
import { plan } from "./plan.ts";
import type { ClusterView } from "./port.ts";
import { followUp, returned, rollback } from "./rollback.ts";
import { RunLog, type RunLogOptions } from "./run-log.ts";
import { step } from "./step.ts";
import { giveWay, supersede } from "./supersede.ts";

/** What the rollout shell needs. */
export interface RolloutOptions extends RunLogOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly clusters: ClusterView;
  /** Nothing new begins while it is true: a rebuild waits for a person. */
  isHeld(): boolean;
  /** What has to leave clusters is not known whole yet: nothing that removes begins, so that the guard sees all of it. */
  isSurveying(): boolean;
  onFault(lane: string, fault: Fault): void;
}

/** A verb of a person on a run: pure, from `verbs.ts`. */
export type Verb = (state: RunState, intent: Intent) => VerbResult;

/**
 * Moves lanes to their releases. The decisions are pure (`plan`, `step`, the verbs); this shell records each before it is
 * acted upon, then makes it true through desired states. Level-triggered by lane: after a restart the record is folded and
 * the next step asks only for what the desired states do not say yet.
 */
export class RolloutReconciler {
  readonly #options: RolloutOptions;
  readonly #log: RunLog;
  readonly #loop: KeyedLoop;
  /** Lanes with a run under way. */
  readonly #stepping = new Set<LaneKey>();
  /** What one turn of a lane takes, on the way: milliseconds. */
  #stepMs = 0;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#log = new RunLog(options);
    this.#loop = new KeyedLoop({
      clock: options.clock,
      chance: options.chance,
      concurrency: 8,
      backoff: { base: 500, factor: 2, cap: 30_000 },
      handle: (lane, signal) => this.#handle(lane as LaneKey, signal),
      onFault: (lane, fault) => options.onFault(lane, fault),
    });
  }

  /** Folds the records of all runs that are not over, and the newest ended ones. Call at the start of a term. */
  load(signal: AbortSignal): Promise<void> {
    return this.#log.load(signal);
  }

  /**
   * The store was lost or set back: runs that it says are under way know nothing of what went out since, and would take
   * clusters back. They end where they stand; what Git asks is planned anew. Call after `load`.
   */
  async endStale(reason: string, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    for (const lane of this.#log.lanes()) {
      for (const kept of [lane.run, ...lane.past]) {
        if (kept === undefined || isOver(kept.state.status)) continue;
        const result = giveWay(kept.state, kept.state.plan.run, { now, actor: "capstan", reason });
        await this.#log.record(lane, kept, result, signal);
      }
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    for (const { key } of this.#log.lanes()) this.#loop.add(key);
    await this.#loop.run(signal);
  }

  /** What people ask of a lane changed. */
  want(key: LaneKey, wanted: Wanted): void {
    this.#log.want(this.#log.lane(key), wanted);
    this.#loop.add(key);
  }

  /** Something about a cluster changed: its session, its reports, its desired state. */
  clusterChanged(cluster: ClusterId): void {
    for (const lane of this.#log.lanesOf(cluster)) this.#loop.addWithin(lane, this.#gatherMs());
  }

  /**
   * A step looks at all of a run's clusters, and each of them reports several times: reports are gathered, so that all
   * lanes together take about a fifth of the time, however many report.
   */
  #gatherMs(): number {
    return Math.min(1_000, Math.max(50, 4 * this.#stepMs * this.#stepping.size));
  }

  /** Everything may go on, for example after a rebuild was ended or a removal approved. */
  wakeAll(): void {
    for (const { key } of this.#log.lanes()) this.#loop.add(key);
  }

  /** Lanes waiting or being worked on now. */
  get busy(): number {
    return this.#loop.busy;
  }

  lanes(): LaneStatus[] {
    return [...this.#log.lanes()].map((lane) => laneStatus(lane, this.#facts(lane)));
  }

  lane(key: LaneKey): LaneStatus | undefined {
    const lane = this.#log.find(key);
    return lane === undefined ? undefined : laneStatus(lane, this.#facts(lane));
  }

  /** Bundles that wanted releases, runs under way and the last ones of each lane name. */
  named(): ReadonlySet<Digest> {
    const named = new Set<Digest>();
    for (const { wanted, run, past } of this.#log.lanes()) {
      for (const each of [wanted, run, ...past]) {
        for (const { bundle } of each?.contents.values() ?? []) named.add(bundle.digest);
      }
    }
    return named;
  }

  /** The lane of a run. */
  laneOf(run: RunId): LaneKey | undefined {
    return this.#log.laneOf(run);
  }

  facts(lane: LaneKey): Facts {
    return this.#facts(this.#log.find(lane));
  }

  /** A person's verb on the lane's newest run; recorded before this resolves. Faults of the verb come through. */
  async act(key: LaneKey, verb: Verb, intent: Omit<Intent, "now">, signal: AbortSignal): Promise<RunState> {
    return this.#exclusive(this.#log.existing(key), async (lane) => {
      const run = requireRun(lane);
      const result = verb(run.state, { ...intent, now: this.#options.clock.now() });
      await this.#log.record(lane, run, result, signal);
      this.#loop.add(key);
      return result.state;
    });
  }

  /** Lets the wanted release of a lane go, once: without automated sync, or again after a run that ended badly. */
  release(key: LaneKey, by: string): Digest | undefined {
    const lane = this.#log.find(key);
    if (lane?.wanted === undefined) return undefined;
    lane.released = { release: lane.wanted.release.id, by };
    this.#loop.add(key);
    return lane.released.release;
  }

  /** A content that the lane's wanted release or one of its last runs names. */
  contentOf(key: LaneKey, content: Digest): TargetContent | undefined {
    const lane = this.#log.find(key);
    return lane === undefined ? undefined : contentIn(lane, content);
  }

  /** Takes a lane back: a new run to older bytes, and a pin. */
  async rollBack(
    key: LaneKey,
    request: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
    signal: AbortSignal,
  ): Promise<{ readonly run: RunState; readonly pin: Pin }> {
    return this.#exclusive(this.#log.existing(key), async (lane) => {
      const { kept, back } = this.#back(lane, request, intent);
      // The run that takes back is there before the other one waits for it: a hub that dies in between mends the rest.
      await this.#options.store.savePin(back.pin, signal);
      lane.pin = back.pin;
      const run = await this.#log.open(lane, back.input, signal);
      if (run === undefined) throw new Fault("internal", { message: `the rollback of ${key} planned nothing.` });
      await this.#log.record(lane, kept, back.old, signal);
      this.#loop.add(key);
      return { run: run.state, pin: back.pin };
    });
  }

  /** The run that a rollback would start, as planned now; changes nothing. Faults as of `rollBack`. */
  planRollBack(
    key: LaneKey,
    request: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
  ): RunState {
    return begin(this.#back(this.#log.existing(key), request, intent).planned);
  }

  #back(
    lane: Lane,
    { scope, to }: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
  ) {
    const kept = requireRun(lane);
    const now = this.#options.clock.now();
    const back = rollback(
      kept.state,
      { ...intent, now },
      {
        run: runIdOf(lane.key, { now: now, chance: this.#options.chance }),
        scope,
        current: this.#options.assignments.ofLane(lane.key),
        clusters: this.#options.clusters.all(),
        hash: this.#options.hash,
        earlier: sameRelease(lane, kept),
        ...(to === undefined ? {} : { to: olderRelease(lane, to) }),
      },
    );
    const planned = plan(back.input, this.#options.hash);
    if (planned.clusters.length > 0) return { kept, back, planned };
    throw new Fault("not-now", {
      message: `${lane.key} holds that release already on every cluster of the scope.`,
      next: `Nothing is to be taken back; to end the run: capstan rollout abort ${lane.key}`,
    });
  }

  /** Lets Git lead again. */
  async unpin(key: LaneKey, signal: AbortSignal): Promise<Wanted | undefined> {
    return this.#exclusive(this.#log.existing(key), async (lane) => {
      await this.#options.store.deletePin(key, signal);
      lane.pin = undefined;
      this.#loop.add(key);
      return lane.wanted;
    });
  }

  async #handle(key: LaneKey, signal: AbortSignal): Promise<Outcome> {
    const began = this.#options.clock.monotonic();
    this.#stepping.add(key);
    const outcome = await this.#step(key, signal);
    if (isSettled(this.#log.lane(key))) this.#stepping.delete(key);
    this.#stepMs = (3 * this.#stepMs + this.#options.clock.monotonic() - began) / 4;
    return outcome;
  }

  #step(key: LaneKey, signal: AbortSignal): Promise<Outcome> {
    return this.#exclusive(this.#log.lane(key), async (lane) => {
      await this.#follow(lane, signal);
      await this.#settleOlder(lane, signal);
      const kept = lane.run;
      if (kept === undefined) return done;
      const result = step(kept.state, this.#facts(lane));
      const after = result.transitions.length === 0 ? kept : await this.#log.record(lane, kept, result, signal);
      for (const dispatch of result.dispatch) await carryOut({ lane, kept: after, dispatch }, this.#options, signal);
      if (isOver(after.state.status) && after !== kept) return { kind: "again", afterMs: 0 };
      if (result.wakeAt === null) return done;
      return { kind: "again", afterMs: Math.max(1, result.wakeAt - this.#options.clock.now()) };
    });
  }

  /** Runs that a newer one takes back end when it does; any other that still goes gives way to it. */
  async #settleOlder(lane: Lane, signal: AbortSignal): Promise<void> {
    for (const kept of lane.past) {
      const { state } = kept;
      if (isOver(state.status)) continue;
      const now = this.#options.clock.now();
      const known = state.status.phase === "RollingBack" && this.#runOf(lane, state.status.run) !== undefined;
      const newer = lane.run?.state.plan.run ?? state.plan.run;
      const result = known
        ? step(state, this.#facts(lane, state))
        : giveWay(state, newer, { now, actor: "capstan", reason: `a newer run: ${newer}` });
      await this.#log.record(lane, kept, result, signal);
    }
  }

  #runOf(lane: Lane, run: RunId): KeptRun | undefined {
    return [lane.run, ...lane.past].find((each) => each?.state.plan.run === run);
  }

  /** Begins a run where the lane should move: a new release, or clusters that came back. */
  async #follow(lane: Lane, signal: AbortSignal): Promise<void> {
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
    if (run !== undefined && run === lane.run && over) await this.#catchUp(lane, run, signal);
  }

  async #openRelease(lane: Lane, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const last = lane.run?.state;
    const same = last?.plan.release === wanted.release.id;
    if (same && last.status.phase.startsWith("Succeeded") && isAsDecided(lane, wanted, this.#options.assignments))
      return;
    const actor = lane.released?.release === wanted.release.id ? lane.released.by : "capstan";
    lane.released = undefined;
    await this.#log.open(
      lane,
      {
        run: runIdOf(lane.key, { now, chance: this.#options.chance }),
        origin: { kind: "release" },
        now,
        actor,
        reason: wanted.release.cause.subject,
        release: wanted.release,
        previous: last?.plan.release ?? null,
        current: this.#options.assignments.ofLane(lane.key),
        clusters: this.#options.clusters.all(),
        strategy: wanted.strategy,
      },
      signal,
    );
  }

  async #supersede(lane: Lane, run: KeptRun, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const newer = runIdOf(lane.key, { now, chance: this.#options.chance });
    const result = supersede(run.state, newer, { now, actor: "capstan", reason: "" });
    if (result.decision === "queue") return;
    await this.#log.record(lane, run, result, signal);
    await this.#openRelease(lane, wanted, signal);
  }

  /** Deferred clusters of an ended run that are back go on in a child run, under their own budget. Not what was refused. */
  async #catchUp(lane: Lane, run: KeptRun, signal: AbortSignal): Promise<void> {
    if (run.state.plan.origin.kind !== "rollback" && endedBadly(run.state)) return;
    const { ready } = returned(run.state, this.#facts(lane));
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

  /** A run that is being rolled back looks at the run that does it. */
  #facts(lane: Lane | undefined, state = lane?.run?.state): Facts {
    const status = state?.status;
    const back = lane !== undefined && status?.phase === "RollingBack" ? this.#runOf(lane, status.run) : undefined;
    return factsOf(this.#options.clock.now(), { ...this.#options, lane: lane?.key }, back?.state.status);
  }

  #exclusive<T>(lane: Lane, work: (lane: Lane) => Promise<T>): Promise<T> {
    const turn = lane.turn.then(
      () => work(lane),
      () => work(lane),
    );
    lane.turn = turn;
    return turn;
  }
}

function isSettled({ run }: Lane): boolean {
  return run === undefined || isOver(run.state.status);
}
