import { type ClusterId, Fault, parallel } from "@capstan/proto";
import { checkPlan } from "./check.ts";
import { begin, isOver } from "./fold.ts";
import {
  concerned,
  contentIn,
  type KeptRun,
  keepRun,
  type Lane,
  newLane,
  removalsOf,
  requireRun,
  type Wanted,
} from "./lane-run.ts";
import {
  type Hash,
  type LaneKey,
  type Plan,
  type PlanInput,
  parseRunId,
  type RunId,
  type RunState,
  type Transition,
  type VerbResult,
} from "./model.ts";
import { plan } from "./plan.ts";
import type { Assignments, RemovalGuard, RolloutStore } from "./port.ts";
import {
  decodeEntry,
  decodeHead,
  encodeEntry,
  encodeHead,
  type Head,
  type Opening,
  type Packer,
  replay,
} from "./record.ts";
import { isUsed, type Released } from "./released.ts";
import { start } from "./verbs.ts";

/** What keeping runs needs. */
export interface RunLogOptions {
  readonly store: RolloutStore;
  readonly packer: Packer;
  readonly assignments: Assignments;
  readonly guard: RemovalGuard;
  readonly hash: Hash;
  /** Told of a record that cannot be read, and of a head that could not be dropped; what else there is goes on. */
  onFault(lane: string, fault: Fault): void;
  /** Told of every transition, after it is durable. */
  onTransitions(run: RunState, transitions: readonly Transition[]): void;
}

/** Ended runs of each lane that are read at a start, so that their bundles are kept; older ones stay in the store. */
const readEnded = 11;
/** Records read at once. */
const reads = 16;

/** The lanes with their runs, and the record that makes them true: nothing changes here before it is durable. */
export class RunLog {
  readonly #options: RunLogOptions;
  readonly #lanes = new Map<LaneKey, Lane>();
  readonly #runs = new Map<RunId, LaneKey>();
  /** Lanes that a cluster's news may change. */
  readonly #interest = new Map<ClusterId, Set<LaneKey>>();

  constructor(options: RunLogOptions) {
    this.#options = options;
  }

  /** Folds the records of all runs that are not over, and of each lane's newest ended ones. */
  async load(signal: AbortSignal): Promise<void> {
    this.#lanes.clear();
    this.#runs.clear();
    this.#interest.clear();
    const heads = (await this.#options.store.heads(signal)).flatMap((bytes) => this.#readable(bytes));
    const kept = newest(heads);
    await parallel(kept, reads, async (head) => ({ head, run: await this.#replayed(head, signal) })).then((runs) => {
      for (const { head, run } of runs) if (run !== undefined) this.#keep(this.lane(head.lane as LaneKey), run);
    });
    for (const pin of await this.#options.store.pins(signal)) this.lane(pin.lane).pin = pin;
    for (const released of await this.#options.store.released(signal)) {
      const lane = this.lane(released.lane);
      const runs = [lane.run, ...lane.past].flatMap((kept) => kept?.state ?? []);
      if (!isUsed(released, runs)) lane.released = released;
    }
    const left = new Set(kept);
    for (const head of heads) if (!left.has(head)) await this.#drop(head.lane, head.run, signal);
  }

  #readable(bytes: Uint8Array): Head[] {
    try {
      return [decodeHead(bytes)];
    } catch (thrown) {
      this.#options.onFault("", Fault.from(thrown, "bad-input"));
      return [];
    }
  }

  /** The run that a head names. One whose record is damaged stops its own lane alone, and that only if it was under way. */
  async #replayed({ run, last, lane, over, startedAt }: Head, signal: AbortSignal): Promise<KeptRun | undefined> {
    try {
      const entries = await this.#options.store.read(parseRunId(run), BigInt(last), signal);
      const kept = replay(entries.map((bytes) => decodeEntry(bytes, this.#options.packer)));
      if (kept !== undefined) return { ...kept, last: BigInt(last) };
      throw new Fault("not-found", { message: `the record of rollout ${run} has no beginning.` });
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (signal.aborted || (fault.retryable && fault.code !== "digest-mismatch")) throw thrown;
      this.#options.onFault(lane, unreadableRecord(run, fault));
      if (!over) this.lane(lane as LaneKey).unreadable = { run: parseRunId(run), since: startedAt };
      return undefined;
    }
  }

  /** A person lets the lane go to a release, once; durable when this resolves. */
  async release(lane: Lane, released: Released, signal: AbortSignal): Promise<void> {
    await this.#options.store.saveReleased(released, signal);
    lane.released = released;
  }

  /** The word was acted on, and a run whose record is lost is given up. After a crash before this, `load` finds both out. */
  async settle(lane: Lane, signal: AbortSignal): Promise<void> {
    if (lane.released !== undefined) await this.#options.store.deleteReleased(lane.key, signal);
    lane.released = undefined;
    if (lane.unreadable !== undefined) await this.#drop(lane.key, lane.unreadable.run, signal);
    lane.unreadable = undefined;
  }

  /** A head that stays costs a little room until the next start, no more. */
  async #drop(lane: string, run: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#options.store.dropHead(parseRunId(run), signal);
      this.#runs.delete(parseRunId(run));
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      this.#options.onFault(lane, Fault.from(thrown));
    }
  }

  /** The lane, made where there was none. */
  lane(key: LaneKey): Lane {
    const lane = this.#lanes.get(key) ?? newLane(key);
    this.#lanes.set(key, lane);
    return lane;
  }

  /** The lane. Throws `not-found`. */
  existing(key: LaneKey): Lane {
    const lane = this.#lanes.get(key);
    if (lane !== undefined) return lane;
    throw new Fault("not-found", { message: `no lane is called ${key}.`, next: "See: capstan get lanes" });
  }

  find(key: LaneKey): Lane | undefined {
    return this.#lanes.get(key);
  }

  lanes(): IterableIterator<Lane> {
    return this.#lanes.values();
  }

  laneOf(run: RunId): LaneKey | undefined {
    return this.#runs.get(run);
  }

  /** Lanes that this cluster's news may change. */
  lanesOf(cluster: ClusterId): Iterable<LaneKey> {
    return this.#interest.get(cluster) ?? [];
  }

  /** What people ask of a lane changed: what would have to leave is weighed by the guard from now on. */
  want(lane: Lane, wanted: Wanted): void {
    const places = new Map(wanted.release.targets.map(({ target, cluster }) => [target, cluster] as const));
    lane.wanted = wanted;
    lane.leaving = this.#options.assignments
      .ofLane(lane.key)
      .filter(({ target, cluster }) => places.get(target) !== cluster)
      .map(({ target, cluster }) => ({ target, cluster, moves: places.has(target) }));
    this.#options.guard.want(lane.key, removalsOf(lane));
  }

  /** Plans, records and starts a run; undefined where nothing is to be moved. */
  async open(lane: Lane, input: PlanInput, signal: AbortSignal): Promise<KeptRun | undefined> {
    const made = plan(input, this.#options.hash);
    if (made.clusters.length === 0) return undefined;
    const unsound = checkPlan(made, this.#options.hash);
    if (unsound.length > 0) {
      throw new Fault("internal", { message: `a plan for ${lane.key} does not hold: ${unsound.join("; ")}.` });
    }
    const contents = this.#contentsOf(lane, made);
    const begun = begin(made);
    const entry = encodeEntry({ kind: "opening", opening: { plan: made, contents } }, this.#options.packer);
    const last = await this.#options.store.append(made.run, entry, (at) => headOf(lane, begun, at), signal);
    const before = [lane.run, ...lane.past];
    this.#keep(lane, { state: begun, contents, last });
    for (const old of before) {
      if (old === undefined || lane.past.includes(old) || !isOver(old.state.status)) continue;
      await this.#drop(lane.key, old.state.plan.run, signal);
    }
    const intent = { now: input.now, actor: input.actor, reason: input.reason };
    return this.record(lane, requireRun(lane), start(begun, intent), signal);
  }

  /** Records a decision, and only then takes it as true. */
  async record(lane: Lane, kept: KeptRun, result: VerbResult, signal: AbortSignal): Promise<KeptRun> {
    if (result.transitions.length === 0) return kept;
    const { state, transitions } = result;
    const entry = encodeEntry({ kind: "transitions", transitions }, this.#options.packer);
    const last = await this.#options.store.append(state.plan.run, entry, (at) => headOf(lane, state, at), signal);
    const next = { ...kept, state, last };
    this.#keep(lane, next);
    this.#options.onTransitions(state, transitions);
    return next;
  }

  /** Both sides of every move, so that a run can be carried out and taken back whatever else is forgotten. */
  #contentsOf(lane: Lane, made: Plan): Opening["contents"] {
    const contents = new Map();
    for (const { cluster, moves } of made.clusters) {
      for (const { target, from, to } of moves) {
        const before = this.#options.assignments.content(cluster, target);
        if (from !== null && before !== undefined) contents.set(from, before);
        const wanted = to === null ? undefined : contentIn(lane, to);
        if (to !== null && wanted !== undefined) contents.set(to, wanted);
      }
    }
    return contents;
  }

  #keep(lane: Lane, kept: KeptRun): void {
    keepRun(lane, kept);
    this.#runs.set(kept.state.plan.run, lane.key);
    if (lane.run !== kept) return;
    this.#options.guard.want(lane.key, removalsOf(lane));
    const news = concerned(kept.state);
    for (const { cluster } of kept.state.members) {
      const lanes = this.#interest.get(cluster) ?? new Set<LaneKey>();
      this.#interest.set(cluster, lanes);
      if (news.has(cluster)) lanes.add(lane.key);
      else lanes.delete(lane.key);
    }
  }
}

function unreadableRecord(run: string, cause: Fault): Fault {
  return new Fault("bad-input", {
    message: `expected a record of rollout ${run} that can be read, found: ${cause.message}`,
    next: "Its lane stays as it is; all others go on. See: capstan why LANE",
    cause,
  });
}

function headOf(lane: Lane, state: RunState, last: bigint): Uint8Array {
  const { run, plannedAt } = state.plan;
  return encodeHead({ run, lane: lane.key, last: String(last), over: isOver(state.status), startedAt: plannedAt });
}

/** Oldest first: all that are not over, and the newest ended ones of each lane. */
function newest(heads: readonly Head[]): Head[] {
  const byLane = new Map<string, number>();
  const kept = heads
    .toSorted((a, b) => b.startedAt - a.startedAt)
    .filter(({ lane, over }) => {
      const before = byLane.get(lane) ?? 0;
      if (over) byLane.set(lane, before + 1);
      return !over || before < readEnded;
    });
  return kept.reverse();
}
