import { assertNever, type Clock, Fault } from "@capstan/proto";
import {
  decide,
  fold,
  type LeaseAction,
  type LeaseEvent,
  type LeaseInput,
  type LeaseState,
  releasedLease,
  startFollowing,
} from "./decide.ts";
import { encodeLease, type LeaseTimes, type Term } from "./model.ts";
import type { LeaseStore } from "./port.ts";

/** What a lease keeper needs. */
export interface LeaseKeeperOptions {
  /** Of this hub, the same after a restart. */
  readonly hub: string;
  readonly shard: string;
  readonly times: LeaseTimes;
  readonly store: LeaseStore;
  readonly clock: Clock;
  /** A fresh random text of at least 128 bits. */
  nonce(): string;
  /**
   * Leads until the signal aborts, then ends soon: no new term begins before. Ending by itself, or throwing, gives the
   * lease away.
   */
  onLeading(term: Term, signal: AbortSignal): Promise<void>;
  /** Told why a term ended and why a read or write failed. */
  onFault(fault: Fault): void;
}

interface RunningTerm {
  readonly abort: AbortController;
  readonly ended: Promise<void>;
}

/**
 * Takes the lease, renews it, and leads under it. Carries out what `decide` says. It is also the fence of every write:
 * `current` is the lease's sequence while the deadline has not passed by our own clock, whatever else is stuck.
 */
export class LeaseKeeper {
  readonly shard: string;
  readonly #options: LeaseKeeperOptions;
  #state: LeaseState = startFollowing;
  #nonce: string;
  #term: RunningTerm | undefined;
  #wake: AbortController | undefined;
  readonly #waiting = new Set<() => void>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.shard = options.shard;
    this.#nonce = options.nonce();
  }

  /** The term, while this hub leads. */
  term(): Term | undefined {
    return this.#state.kind === "leading" && this.current() !== undefined ? this.#state.term : undefined;
  }

  /** The lease's sequence; undefined when this hub does not lead, or could not renew in time. */
  current(): bigint | undefined {
    const state = this.#state;
    if (state.kind !== "leading") return undefined;
    const age = this.#options.clock.monotonic() - state.renewedAt;
    return age < this.#options.times.renewDeadline ? state.sequence : undefined;
  }

  /** After the server refused a write: looks at the lease, and answers with the sequence that holds then. */
  async settled(signal: AbortSignal): Promise<bigint | undefined> {
    this.#take({ kind: "doubted" });
    this.#wake?.abort();
    while (this.#state.kind === "leading" && this.#state.unsure && this.current() !== undefined) {
      signal.throwIfAborted();
      await new Promise<void>((resolve) => {
        this.#waiting.add(resolve);
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    }
    return this.current();
  }

  /** Runs until the signal aborts; then ends the term and gives the lease away, so that another hub need not wait. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#act(decide(this.#state, this.#input()), signal);
      } catch (thrown) {
        if (signal.aborted) break;
        this.#options.onFault(Fault.from(thrown));
        this.#take({ kind: "failed" });
      }
      await this.#follow();
    }
    await this.#endTerm("the hub ends");
    await this.#release();
  }

  async #act(action: LeaseAction, signal: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    const at = clock.monotonic();
    switch (action.kind) {
      case "wait":
        return this.#sleep(action.ms, signal);
      case "read": {
        const lease = await this.#bounded(signal, (stop) => store.read(this.shard, stop));
        return this.#take({ kind: "seen", lease, at });
      }
      case "write": {
        const value = encodeLease(action.value);
        const sequence = await this.#bounded(signal, (stop) => store.write(this.shard, value, action.expected, stop));
        if (sequence === undefined) return this.#take({ kind: "refused" });
        return this.#take({ kind: "written", value: action.value, sequence, at });
      }
      case "step-down":
        this.#options.onFault(
          new Fault("not-leader", { message: `expected to keep the lease, found that ${action.why}.` }),
        );
        return this.#take({ kind: "stepped-down" });
      default:
        return assertNever(action, "lease action");
    }
  }

  /** Starts or ends the term as the state says. */
  async #follow(): Promise<void> {
    if (this.#state.kind === "leading" && this.#term === undefined) this.#startTerm(this.#state.term);
    if (this.#state.kind === "following" && this.#term !== undefined) await this.#endTerm("the lease is lost");
  }

  #startTerm(term: Term): void {
    this.#nonce = this.#options.nonce();
    const abort = new AbortController();
    const ended = this.#options.onLeading(term, abort.signal).then(
      () => this.#abdicate(abort.signal, new Fault("internal", { message: "the leader's work ended by itself." })),
      (thrown: unknown) => this.#abdicate(abort.signal, Fault.from(thrown)),
    );
    this.#term = { abort, ended };
  }

  async #endTerm(why: string): Promise<void> {
    const term = this.#term;
    if (term === undefined) return;
    term.abort.abort(new Fault("not-leader", { message: `expected to lead, found that ${why}.` }));
    await term.ended;
    this.#term = undefined;
  }

  /** Work that has failed must not keep another hub from leading. */
  async #abdicate(signal: AbortSignal, fault: Fault): Promise<void> {
    if (signal.aborted) return;
    this.#options.onFault(fault);
    await this.#release();
    this.#take({ kind: "stepped-down" });
    this.#take({ kind: "failed" });
    this.#wake?.abort();
  }

  async #release(): Promise<void> {
    const state = this.#state;
    if (state.kind !== "leading") return;
    const value = releasedLease(state, this.#options.clock.now());
    this.#take({ kind: "stepped-down" });
    try {
      const never = new AbortController().signal;
      await this.#bounded(never, (stop) => this.#options.store.write(this.shard, value, state.sequence, stop));
    } catch (thrown) {
      this.#options.onFault(Fault.from(thrown));
    }
  }

  #take(event: LeaseEvent): void {
    this.#state = fold(this.#state, event, this.#input());
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  #input(): LeaseInput {
    const { hub, times, clock } = this.#options;
    return { hub, shard: this.shard, times, now: clock.monotonic(), wall: clock.now(), nonce: this.#nonce };
  }

  /** Sleeps, unless woken before. */
  async #sleep(ms: number, signal: AbortSignal): Promise<void> {
    const wake = new AbortController();
    this.#wake = wake;
    await this.#options.clock.sleep(Math.max(1, ms), AbortSignal.any([wake.signal, signal])).catch(() => undefined);
  }

  /** A read or write that hangs must not outlast the deadline by which a holder gives up. */
  async #bounded<T>(signal: AbortSignal, work: (stop: AbortSignal) => Promise<T>): Promise<T> {
    const { times, clock } = this.#options;
    const state = this.#state;
    const left =
      state.kind === "leading" ? state.renewedAt + times.renewDeadline - clock.monotonic() : times.renewDeadline;
    const late = new AbortController();
    const done = new AbortController();
    clock.sleep(Math.max(1, left), done.signal).then(
      () => late.abort(new Fault("timeout", { message: "expected the lease to be answered in time, found silence." })),
      () => undefined,
    );
    try {
      return await work(AbortSignal.any([signal, late.signal]));
    } finally {
      done.abort();
    }
  }
}
