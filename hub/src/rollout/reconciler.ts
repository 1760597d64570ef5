import { create } from "@bufbuild/protobuf";
import {
  type Chance,
  type Clock,
  type ClusterId,
  type Digest,
  done,
  Fault,
  KeyedLoop,
  type Outcome,
  type TargetKey,
} from "@capstan/proto";
import { OperationSchema, Removal } from "@capstan/proto/desired";
import type { Change as DesiredChange, TargetContent } from "../targets/content.ts";
import { factsOf } from "./facts.ts";
import { isOver } from "./fold.ts";
import { asCalledNow, contentIn, type KeptRun, type Lane, olderRelease, requireRun, type Wanted } from "./lane-run.ts";
import {
  type Dispatch,
  type Facts,
  type Intent,
  type LaneKey,
  type Move,
  type Pin,
  parseRunId,
  type Reason,
  type RollbackScope,
  type RunId,
  type RunState,
  type VerbResult,
} from "./model.ts";
import { plan } from "./plan.ts";
import type { ClusterView } from "./port.ts";
import { followUp, pinned, returned, rollback } from "./rollback.ts";
import { RunLog, type RunLogOptions } from "./run-log.ts";
import { step } from "./step.ts";
import { giveWay, supersede } from "./supersede.ts";
import { why } from "./why.ts";

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

/** A lane as people see it. */
export interface LaneStatus {
  readonly lane: LaneKey;
  readonly wanted: Wanted | undefined;
  readonly run: RunState | undefined;
  readonly past: readonly RunState[];
  readonly pin: Pin | undefined;
  /** Why the lane, or its run, waits; null: nothing does. */
  readonly reason: Reason | null;
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
    return [...this.#log.lanes()].map((lane) => this.#status(lane));
  }

  lane(key: LaneKey): LaneStatus | undefined {
    const lane = this.#log.find(key);
    return lane === undefined ? undefined : this.#status(lane);
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
      const kept = requireRun(lane);
      const now = this.#options.clock.now();
      const id = this.#runId(lane, now);
      const target = request.to === undefined ? undefined : olderRelease(lane, request.to);
      const back = rollback(
        kept.state,
        { ...intent, now },
        {
          run: id,
          scope: request.scope,
          current: this.#options.assignments.ofLane(key),
          clusters: this.#options.clusters.all(),
          hash: this.#options.hash,
          earlier: sameRelease(lane, kept),
          ...(target === undefined ? {} : { to: target }),
        },
      );
      if (plan(back.input, this.#options.hash).clusters.length === 0) {
        throw new Fault("not-now", {
          message: `${key} holds that release already on every cluster of the scope.`,
          next: `Nothing is to be taken back; to end the run: capstan rollout abort ${key}`,
        });
      }
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
      for (const dispatch of result.dispatch) await this.#dispatch(lane, after, dispatch, signal);
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
    if (!over && wanted !== undefined && this.#isEmpty(lane, wanted)) {
      const intent = {
        now: this.#options.clock.now(),
        actor: "capstan",
        reason: "its targets belong to another lane now",
      };
      await this.#log.record(lane, run, giveWay(run.state, run.state.plan.run, intent), signal);
      return;
    }
    if (wanted !== undefined && this.#mayMove(lane, wanted)) {
      if (over) await this.#openRelease(lane, wanted, signal);
      else if (run.state.plan.release !== wanted.release.id) await this.#supersede(lane, run, wanted, signal);
    }
    if (run !== undefined && run === lane.run && over) await this.#catchUp(lane, run, signal);
  }

  /** Whether nothing is asked for and nothing stands: what a run still holds of it went to another lane. */
  #isEmpty({ key, pin }: Lane, { release }: Wanted): boolean {
    return pin === undefined && release.targets.length === 0 && this.#options.assignments.ofLane(key).length === 0;
  }

  #mayMove(lane: Lane, wanted: Wanted): boolean {
    if (pinned(lane.pin, wanted.release.id) !== null) return false;
    const released = lane.released?.release === wanted.release.id;
    if (!wanted.automated && !released && !onlyRemoves(wanted)) return false;
    const last = lane.run?.state;
    // What ended badly is not tried again by itself: the same content needs a person, or something new.
    const ended = last !== undefined && isOver(last.status) && last.plan.release === wanted.release.id;
    return !ended || released || !["Aborted", "Failed", "RolledBack", "RollbackFailed"].includes(last.status.phase);
  }

  async #openRelease(lane: Lane, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const last = lane.run?.state;
    const same = last?.plan.release === wanted.release.id;
    if (same && last.status.phase.startsWith("Succeeded") && this.#isAsDecided(lane, wanted)) return;
    const actor = lane.released?.release === wanted.release.id ? lane.released.by : "capstan";
    lane.released = undefined;
    await this.#log.open(
      lane,
      {
        run: this.#runId(lane, now),
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

  /** Whether desired states say what the release wants, but for clusters that an ended run left behind on purpose. */
  #isAsDecided(lane: Lane, wanted: Wanted): boolean {
    const left = new Set(
      lane.run?.state.clusters.flatMap(({ status }, index) =>
        ["Done", "Removed"].includes(status.is) ? [] : [lane.run?.state.members[index]?.cluster],
      ),
    );
    return wanted.release.targets.every(({ target, cluster, content }) => {
      return left.has(cluster) || this.#options.assignments.held(cluster, target)?.content === content;
    });
  }

  async #supersede(lane: Lane, run: KeptRun, wanted: Wanted, signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const newer = this.#runId(lane, now);
    const result = supersede(run.state, newer, { now, actor: "capstan", reason: "" });
    if (result.decision === "queue") return;
    await this.#log.record(lane, run, result, signal);
    await this.#openRelease(lane, wanted, signal);
  }

  /** Deferred clusters of an ended run that are back go on in a child run, under their own budget. */
  async #catchUp(lane: Lane, run: KeptRun, signal: AbortSignal): Promise<void> {
    const { ready } = returned(run.state, this.#facts(lane));
    const newer =
      lane.pin === undefined && lane.wanted !== undefined && lane.wanted.release.id !== run.state.plan.release;
    if (ready.length === 0 || newer) return;
    const now = this.#options.clock.now();
    const input = followUp(
      run.state,
      { now, actor: "capstan", reason: "back after it was offline" },
      {
        run: this.#runId(lane, now),
        kind: "catch-up",
        only: ready,
        current: this.#options.assignments.ofLane(lane.key),
        clusters: this.#options.clusters.all(),
      },
    );
    await this.#log.open(lane, input, signal);
  }

  /** Makes a dispatch true. What the guard remembers of removals is written first: it must not forget what went. */
  async #dispatch(lane: Lane, kept: KeptRun, dispatch: Dispatch, signal: AbortSignal): Promise<void> {
    const mine = dispatch.moves.filter(({ target }) => this.#isOf(lane, target));
    const removals = mine
      .filter(({ to }) => to === null)
      .map(({ target, successor }) => ({ target, cluster: dispatch.cluster, moves: successor !== undefined }));
    if (removals.length > 0) await this.#options.guard.done(lane.key, removals, signal);
    for (const move of mine) {
      const change = this.#change(lane, kept, dispatch, move);
      if (change !== undefined) this.#options.assignments.assign(dispatch.cluster, move.target, change);
    }
  }

  /** False for a target that another lane took over since the plan was made. */
  #isOf(lane: Lane, target: TargetKey): boolean {
    const now = this.#options.assignments.laneOf(target);
    return now === undefined || now === lane.key;
  }

  #change(lane: Lane, kept: KeptRun, dispatch: Dispatch, move: Move): DesiredChange | undefined {
    if (move.to === null) {
      const before = this.#options.assignments.content(dispatch.cluster, move.target);
      const keep = before?.target.policy?.keepObjectsOnRemoval ?? true;
      const removal = keep ? Removal.KEEP : Removal.PRUNE;
      return { kind: "remove", removal, reason: kept.state.plan.reason, approvedBy: "" };
    }
    const content = kept.contents.get(move.to) ?? contentIn(lane, move.to);
    if (content === undefined) {
      this.#options.onFault(
        lane.key,
        new Fault("internal", { message: `${kept.state.plan.run} names content ${move.to}, which its record lacks.` }),
      );
      return undefined;
    }
    const present = asCalledNow(lane, { cluster: dispatch.cluster, target: move.target, content });
    if (!dispatch.again) return { kind: "hold", content: present };
    // The same content once more: a new generation comes from an operation that was not asked for before.
    const { actor } = kept.state.plan;
    return {
      kind: "hold",
      content: present,
      operation: create(OperationSchema, { id: dispatch.id, actor, sync: true }),
    };
  }

  /** A run that is being rolled back looks at the run that does it. */
  #facts(lane: Lane | undefined, state = lane?.run?.state): Facts {
    const status = state?.status;
    const back = lane !== undefined && status?.phase === "RollingBack" ? this.#runOf(lane, status.run) : undefined;
    return factsOf(this.#options.clock.now(), { ...this.#options, lane: lane?.key }, back?.state.status);
  }

  #status(lane: Lane): LaneStatus {
    const facts = this.#facts(lane);
    const run = lane.run?.state;
    const waiting = run === undefined || isOver(run.status) ? null : why(run, facts);
    const pin = lane.wanted === undefined ? null : pinned(lane.pin, lane.wanted.release.id);
    return {
      lane: lane.key,
      wanted: lane.wanted,
      run,
      past: lane.past.map(({ state }) => state),
      pin: lane.pin,
      reason: waiting ?? pin,
    };
  }

  #exclusive<T>(lane: Lane, work: (lane: Lane) => Promise<T>): Promise<T> {
    const turn = lane.turn.then(
      () => work(lane),
      () => work(lane),
    );
    lane.turn = turn;
    return turn;
  }

  #runId(lane: Lane, now: number): RunId {
    const slug = lane.key
      .replace(/[^a-z0-9]+/gi, "-")
      .toLowerCase()
      .replace(/^-+|-+$/g, "")
      .slice(-60);
    const chance = Math.floor(this.#options.chance() * 36 ** 4)
      .toString(36)
      .padStart(4, "0");
    return parseRunId(`${slug.replace(/^-+/, "")}-${now.toString(36)}${chance}`);
  }
}

function onlyRemoves({ release }: Wanted): boolean {
  return release.targets.length === 0;
}

/** Older runs to the same release (catch-ups): a rollback takes them back too. */
function sameRelease(lane: Lane, kept: KeptRun): RunState[] {
  const { release, run } = kept.state.plan;
  return lane.past.map(({ state }) => state).filter(({ plan }) => plan.release === release && plan.run !== run);
}

function isSettled({ run }: Lane): boolean {
  return run === undefined || isOver(run.state.status);
}
