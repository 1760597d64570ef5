import { assertNever, Fault } from "../fault/fault.ts";
import type { Backoff } from "../time/backoff.ts";
import { backoffDelay } from "../time/backoff.ts";
import type { Chance, Clock } from "../time/clock.ts";
import type { Outcome } from "./outcome.ts";

/** What a keyed loop needs. */
export interface LoopOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  /** How many keys may be handled at once. One key is never handled twice at once. */
  readonly concurrency: number;
  readonly backoff: Backoff;
  /** Handles one key, level-triggered: it reads what is so now, whatever woke it. */
  handle(key: string, signal: AbortSignal): Promise<Outcome>;
  /** Told of every thrown fault (retried with backoff) and every stall. */
  onFault(key: string, fault: Fault, attempt: number): void;
}

/**
 * A queue of keys with the contract of Kubernetes' workqueue: adding a waiting key is a no-op, adding a key that is being
 * handled makes it run once more afterwards, a failing key waits with full jitter while the others go on.
 * Nothing runs before `run`; it ends, with all handlers awaited, when the signal aborts.
 */
export class KeyedLoop {
  readonly #options: LoopOptions;
  readonly #ready = new Set<string>();
  readonly #running = new Set<string>();
  readonly #rerun = new Set<string>();
  readonly #attempts = new Map<string, number>();
  readonly #delayed = new Map<string, AbortController>();
  readonly #soon = new Map<string, AbortController>();
  #wake: (() => void) | undefined;
  #signal: AbortSignal | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Asks for the key to be handled as soon as a place is free. */
  add(key: string): void {
    this.#delayed.get(key)?.abort();
    this.#delayed.delete(key);
    this.#soon.get(key)?.abort();
    this.#soon.delete(key);
    if (this.#running.has(key)) this.#rerun.add(key);
    else this.#ready.add(key);
    this.#wake?.();
  }

  /** Asks for the key to be handled after `ms`; an earlier `add` takes its place. */
  addAfter(key: string, ms: number): void {
    if (this.#ready.has(key)) return;
    this.#delayed.get(key)?.abort();
    const cancel = new AbortController();
    this.#delayed.set(key, cancel);
    const signal = this.#signal === undefined ? cancel.signal : AbortSignal.any([cancel.signal, this.#signal]);
    this.#options.clock.sleep(ms, signal).then(
      () => {
        if (this.#delayed.get(key) === cancel) this.#delayed.delete(key);
        this.add(key);
      },
      () => {
        // Aborted: an earlier add took its place, or the loop ends.
        if (this.#delayed.get(key) === cancel) this.#delayed.delete(key);
      },
    );
  }

  /**
   * Asks for the key to be handled `ms` from the first of such calls: what comes in between is gathered into one run.
   * Neither a later call nor an `addAfter` puts it off.
   */
  addWithin(key: string, ms: number): void {
    if (this.#ready.has(key) || this.#soon.has(key)) return;
    const cancel = new AbortController();
    this.#soon.set(key, cancel);
    const signal = this.#signal === undefined ? cancel.signal : AbortSignal.any([cancel.signal, this.#signal]);
    this.#options.clock.sleep(ms, signal).then(
      () => {
        if (this.#soon.get(key) === cancel) this.add(key);
      },
      () => {
        // Aborted: an earlier add took its place, or the loop ends.
        if (this.#soon.get(key) === cancel) this.#soon.delete(key);
      },
    );
  }

  /** Keys waiting or being handled now; delayed ones are not counted. */
  get busy(): number {
    return this.#ready.size + this.#running.size;
  }

  /** Runs until the signal aborts, then waits for the handlers under way. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const handlers = new Set<Promise<void>>();
    const stop = () => this.#wake?.();
    signal.addEventListener("abort", stop, { once: true });
    while (!signal.aborted) {
      for (const key of this.#ready) {
        if (this.#running.size >= this.#options.concurrency) break;
        this.#ready.delete(key);
        this.#running.add(key);
        const handler = this.#once(key, signal).finally(() => handlers.delete(handler));
        handlers.add(handler);
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        if (signal.aborted || (this.#ready.size > 0 && this.#running.size < this.#options.concurrency)) resolve();
      });
    }
    signal.removeEventListener("abort", stop);
    // What is asked for between two runs waits for the next one, not for this one's end.
    this.#signal = undefined;
    for (const cancel of [...this.#delayed.values(), ...this.#soon.values()]) cancel.abort();
    await Promise.all(handlers);
  }

  async #once(key: string, signal: AbortSignal): Promise<void> {
    try {
      this.#settle(key, await this.#options.handle(key, signal));
    } catch (thrown) {
      if (!signal.aborted) this.#retry(key, Fault.from(thrown));
    } finally {
      this.#running.delete(key);
      if (this.#rerun.delete(key)) this.add(key);
      this.#wake?.();
    }
  }

  #settle(key: string, outcome: Outcome): void {
    this.#attempts.delete(key);
    switch (outcome.kind) {
      case "done":
        return;
      case "again":
        this.addAfter(key, outcome.afterMs);
        return;
      case "stalled":
        this.#options.onFault(key, outcome.fault, 0);
        return;
      default:
        assertNever(outcome, "outcome");
    }
  }

  #retry(key: string, fault: Fault): void {
    const attempt = this.#attempts.get(key) ?? 0;
    this.#attempts.set(key, attempt + 1);
    this.#options.onFault(key, fault, attempt);
    this.addAfter(key, backoffDelay(this.#options.backoff, attempt, this.#options.chance));
  }
}
