import type { Clock, ClusterId, Digest, Instant, TargetKey } from "@capstan/proto";
import type { Approval, GuardLimits, GuardResult, HeldList, PastRemoval, Removal, SetGuard } from "./model.ts";
import type { GuardStore } from "./port.ts";
import { approveList, countHoldings, forget, holdRemovals } from "./removals.ts";

/** A removal that a lane wants, without its set: the lane tells it. */
export interface WantedRemoval {
  readonly target: TargetKey;
  readonly cluster: ClusterId;
  readonly moves: boolean;
}

/** What the guard's keeper needs. */
export interface GuardOptions {
  readonly clock: Clock;
  readonly store: GuardStore;
  readonly limits: GuardLimits;
  readonly hash: (text: string) => Digest;
  /** Everything that desired states hold now. */
  holdings(): Iterable<Removal>;
  /** What a set says for itself (annotations). */
  sets(): ReadonlyMap<string, SetGuard>;
  /** The set that a lane belongs to; null: a standalone Application. */
  setOf(lane: string): string | null;
  /** False for a target that another lane took over: it leaves nowhere. */
  isOf?(lane: string, target: TargetKey): boolean;
  /** Why a removal waits for a person by what it would delete. */
  protects?(one: Removal): string | undefined;
  /** Told when a person has approved something: lanes that were held may go on. */
  onApproved?(): void;
}

interface Verdict {
  /** By the monotonic clock. */
  readonly at: number;
  readonly result: GuardResult;
  /** Why, by `CLUSTER TARGET`. */
  readonly held: ReadonlyMap<string, string>;
}

/** The verdict is worked out at most so often: it looks at the whole fleet. */
const freshFor = 250;

/** Another hub, whose clock is not quite this one's, may have planned what is removed now. */
const clockSlack = 300_000;

/** Keeps what lanes want to remove, what went, and what people approved; asks the pure guard. */
export class GuardKeeper {
  readonly #options: GuardOptions;
  readonly #wanted = new Map<string, readonly WantedRemoval[]>();
  #history: PastRemoval[] = [];
  #approvals: Approval[] = [];
  #verdict: Verdict | undefined;

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  /** Reads what was stored; call at the start of a term. */
  async load(signal: AbortSignal): Promise<void> {
    const stored = await this.#options.store.load(signal);
    this.#history = [...stored.history];
    this.#approvals = [...stored.approvals];
    this.#wanted.clear();
    this.#verdict = undefined;
  }

  /** What a lane's run wants to remove; replaces what it wanted before. */
  want(lane: string, removals: readonly WantedRemoval[]): void {
    if (removals.length === 0 && !this.#wanted.has(lane)) return;
    if (removals.length === 0) this.#wanted.delete(lane);
    else this.#wanted.set(lane, removals);
    this.#verdict = undefined;
  }

  /** Why a removal is held; undefined: it may go. */
  held(cluster: ClusterId, target: TargetKey): string | undefined {
    return this.#judge().held.get(`${cluster} ${target}`);
  }

  /** The lists that wait for a person. */
  lists(): readonly HeldList[] {
    return this.#judge().result.held;
  }

  /** Removals were handed to distribution: they count for a day, and use up what was approved. */
  async done(lane: string, removals: readonly WantedRemoval[], signal: AbortSignal): Promise<void> {
    const now = this.#options.clock.now();
    const { approvals } = forget({ history: this.#history, approvals: this.#approvals }, now);
    const approvers = new Map(approvals.flatMap(({ list, by }) => list.map((one) => [placeOf(one), by] as const)));
    const known = new Set(this.#history.map(placeOf));
    // An approval in force is of a removal that was not done yet, though its place may have been emptied before.
    const fresh = removals.filter((one) => !known.has(placeOf(one)) || approvers.has(placeOf(one)));
    if (fresh.length === 0) return;
    const set = this.#options.setOf(lane);
    const past = fresh.map((one): PastRemoval => {
      const by = approvers.get(placeOf(one));
      return { ...one, set, at: now, approved: by !== undefined, ...(by === undefined ? {} : { by }) };
    });
    this.#history = [...this.#history, ...past];
    this.#verdict = undefined;
    await this.#save(signal);
  }

  /**
   * Who approved a removal that was handed to distribution since then; of a set that has no guard, that set; empty: nobody
   * did.
   */
  approver(lane: string, place: Omit<WantedRemoval, "moves">, since: Instant): string {
    const past = this.#history.findLast((one) => one.at >= since - clockSlack && placeOf(one) === placeOf(place));
    if (past?.by !== undefined) return past.by;
    const set = this.#options.setOf(lane);
    return set !== null && this.#options.sets().get(set)?.ephemeral === true ? `ephemeral set ${set}` : "";
  }

  /** Something that removals are weighed by is known better now. */
  reconsider(): void {
    this.#verdict = undefined;
    this.#options.onApproved?.();
  }

  /** A person approves the list with this digest. Throws `not-found` when no such list is held. */
  async approve(
    digest: Digest,
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<HeldList> {
    const { result } = this.#judge();
    const list = result.held.find((each) => each.digest === digest);
    const scope = list?.scope ?? "";
    const approval = approveList(result, scope, digest, { ...who, at: this.#options.clock.now() });
    this.#approvals = [...this.#approvals, approval];
    this.#verdict = undefined;
    await this.#save(signal);
    this.#options.onApproved?.();
    return list as HeldList;
  }

  /** A person deletes these by name, having been shown them: approved before anything is held. */
  async approveNamed(
    scope: string,
    list: Approval["list"],
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<void> {
    if (list.length === 0) return;
    const digest = this.#options.hash(list.map(placeOf).sort().join("\n"));
    this.#approvals = [...this.#approvals, { scope, digest, list, ...who, at: this.#options.clock.now() }];
    this.#verdict = undefined;
    await this.#save(signal);
    this.#options.onApproved?.();
  }

  #judge(): Verdict {
    const at = this.#options.clock.monotonic();
    if (this.#verdict !== undefined && at - this.#verdict.at < freshFor) return this.#verdict;
    const removals = [...this.#wanted].flatMap(([lane, list]) => {
      const set = this.#options.setOf(lane);
      const mine = list.filter(({ target }) => this.#options.isOf?.(lane, target) !== false);
      return mine.map((one): Removal => ({ ...one, set }));
    });
    const holdings = [...this.#options.holdings()];
    const stands = new Set(holdings.map(placeOf));
    const result = holdRemovals({
      now: this.#options.clock.now(),
      removals: removals.filter((one) => stands.has(placeOf(one))),
      counts: countHoldings(holdings),
      history: this.#history,
      limits: this.#options.limits,
      sets: this.#options.sets(),
      approvals: this.#approvals,
      hash: this.#options.hash,
      protects: (one) => this.#options.protects?.(one),
    });
    const held = new Map<string, string>();
    for (const { list, rules } of result.held) {
      for (const one of list) held.set(placeOf(one), rules.map(({ text }) => text).join("; "));
    }
    this.#verdict = { at, result, held };
    return this.#verdict;
  }

  #save(signal: AbortSignal): Promise<void> {
    const kept = forget({ history: this.#history, approvals: this.#approvals }, this.#options.clock.now());
    this.#history = [...kept.history];
    this.#approvals = [...kept.approvals];
    return this.#options.store.save(kept, signal);
  }
}

function placeOf({ cluster, target }: { readonly cluster: ClusterId; readonly target: TargetKey }): string {
  return `${cluster} ${target}`;
}
