import { type ClusterId, type Digest, done, Fault, KeyedLoop, type Outcome } from "@capstan/proto";
import type { Task } from "../documents/strategy-model.ts";
import type { TargetContent } from "../targets/content.ts";
import { carryOut } from "./carry-out.ts";
import { Errands } from "./errands.ts";
import { factsOf } from "./facts.ts";
import { begin, isOver } from "./fold.ts";
import { type Answer, report } from "./gate-verbs.ts";
import { contentIn, type KeptRun, type Lane, requireRun, type Wanted, windowsIn } from "./lane-run.ts";
import { type LaneStatus, laneStatus } from "./lane-status.ts";
import {
  type Emergency,
  type Errand,
  type Facts,
  type Intent,
  type LaneKey,
  type Move,
  type Pin,
  type RollbackScope,
  type RunId,
  type RunState,
  type VerbResult,
} from "./model.ts";
import { type OpeningOptions, Openings } from "./openings.ts";
import type { GateWorld } from "./port.ts";
import { RunLog } from "./run-log.ts";
import { step } from "./step.ts";
import { giveWay } from "./supersede.ts";
import { TakingBack } from "./taking-back.ts";

/** What the rollout shell needs. */
export interface RolloutOptions extends OpeningOptions {
  readonly gates: GateWorld;
  onFault(lane: string, fault: Fault): void;
}

/** How long a gate waits to ask again where its answer could not be recorded, milliseconds. */
const askAgainMs = 5_000;

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
  readonly #errands: Errands;
  readonly #openings: Openings;
  readonly #backs: TakingBack;
  /** Of the term: set by `run`. */
  #term: AbortSignal | undefined;
  readonly #loop: KeyedLoop;
  /** Lanes with a run under way. */
  readonly #stepping = new Set<LaneKey>();
  /** What one turn of a lane takes, on the way: milliseconds. */
  #stepMs = 0;

  constructor(options: RolloutOptions) {
    this.#options = options;
    this.#log = new RunLog(options);
    this.#openings = new Openings(options, this.#log);
    this.#backs = new TakingBack(options, this.#log);
    this.#errands = new Errands(options.gates, (errand, answer) => this.#answered(errand, answer));
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
    this.#term = signal;
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
  async release(key: LaneKey, by: string, signal: AbortSignal): Promise<Digest | undefined> {
    const lane = this.#log.find(key);
    if (lane?.wanted === undefined) return undefined;
    const release = lane.wanted.release.id;
    await this.#log.release(lane, { lane: key, release, by, at: this.#options.clock.now() }, signal);
    this.#loop.add(key);
    return release;
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
      const taken = await this.#backs.take(lane, request, intent, signal);
      this.#loop.add(key);
      return taken;
    });
  }

  /** The run that the wanted release would start, as planned now, perhaps by another strategy; changes nothing. */
  planWanted(key: LaneKey, strategy: string): RunState {
    return this.#openings.planWanted(this.#log.existing(key), strategy);
  }

  /** Break-glass: the wanted release at once past gates, soaks, windows and rates; a run under way gives way to it. */
  async startEmergency(key: LaneKey, emergency: Emergency, signal: AbortSignal): Promise<RunState> {
    return this.#exclusive(this.#log.existing(key), async (lane) => {
      await this.#openings.emergency(lane, emergency, signal);
      this.#loop.add(key);
      return requireRun(lane).state;
    });
  }

  /** The run that a rollback would start, as planned now; changes nothing. Faults as of `rollBack`. */
  planRollBack(
    key: LaneKey,
    request: { readonly scope: RollbackScope; readonly to: string | undefined },
    intent: Omit<Intent, "now">,
  ): RunState {
    return begin(this.#backs.plan(this.#log.existing(key), request, intent).planned);
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
      await this.#openings.follow(lane, this.#facts(lane), signal);
      await this.#settleOlder(lane, signal);
      const kept = lane.run;
      if (kept === undefined) return done;
      const result = step(kept.state, this.#facts(lane));
      const after = result.transitions.length === 0 ? kept : await this.#log.record(lane, kept, result, signal);
      for (const dispatch of result.dispatch) await carryOut({ lane, kept: after, dispatch }, this.#options, signal);
      this.#errands.run(result.errands, lane.key, signal);
      if (await this.#backs.takeByItself(lane, after, signal)) return { kind: "again", afterMs: 0 };
      if (isOver(after.state.status) && after !== kept) return { kind: "again", afterMs: 0 };
      if (result.wakeAt === null) return done;
      return { kind: "again", afterMs: Math.max(1, result.wakeAt - this.#options.clock.now()) };
    });
  }

  /** The webhook that may call back at this place of a run; undefined: there is none. */
  gateOf(run: RunId, stage: number, task: number): Task | undefined {
    const key = this.#log.laneOf(run);
    const state = key === undefined ? undefined : this.#log.lane(key).run?.state;
    const planned = state?.plan.run === run ? state.plan.stages[stage] : undefined;
    const found = [...(planned?.before ?? []), ...(planned?.after ?? [])][task];
    return found?.kind === "webhook" && found.callback ? found : undefined;
  }

  /** A webhook called back; a second call changes nothing. The caller was checked. */
  async calledBack(run: RunId, at: { readonly stage: number; readonly task: number }, answer: Answer): Promise<void> {
    const key = this.#log.laneOf(run);
    const task = this.gateOf(run, at.stage, at.task);
    const attempt =
      key === undefined ? 0 : (this.#log.lane(key).run?.state.stages[at.stage]?.tasks[at.task]?.attempt ?? 0);
    if (task?.kind !== "webhook") return;
    await this.#answered({ id: `${run}/${at.stage}/${at.task}/${attempt}/0`, run, ...at, work: task }, answer);
  }

  /** What the world said is recorded like any decision, and the lane is looked at again. */
  async #answered(errand: Errand, answer: Answer): Promise<void> {
    const key = this.#log.laneOf(errand.run);
    const signal = this.#term;
    if (key === undefined || signal === undefined || signal.aborted) return;
    try {
      await this.#exclusive(this.#log.lane(key), async (lane) => {
        const kept = lane.run;
        if (kept?.state.plan.run !== errand.run) return;
        const intent = { now: this.#options.clock.now(), actor: "capstan", reason: "" };
        await this.#log.record(lane, kept, report(kept.state, intent, { errand, answer }), signal);
      });
    } catch (thrown) {
      if (signal.aborted) return;
      this.#options.onFault(key, Fault.from(thrown, "internal"));
      // What could not be recorded is asked again, but not at once: the world must not be asked in a circle.
      this.#loop.addWithin(key, askAgainMs);
      return;
    }
    this.#loop.add(key);
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

  /** A run that is being rolled back looks at the run that does it. */
  #facts(lane: Lane | undefined, state = lane?.run?.state): Facts {
    const status = state?.status;
    const back = lane !== undefined && status?.phase === "RollingBack" ? this.#runOf(lane, status.run) : undefined;
    const windowsOf = (cluster: ClusterId, move: Move) => (lane === undefined ? [] : windowsIn(lane, cluster, move));
    return factsOf(this.#options.clock.now(), { ...this.#options, windowsOf, lane: lane?.key }, back?.state.status);
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
