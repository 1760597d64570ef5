import type { Clock, Instant } from "../time/clock.ts";

interface Sleeper {
  readonly at: number;
  wake(): void;
}

/** A clock that a test moves; sleepers wake in the order of their times. */
export class FakeClock implements Clock {
  #now: Instant;
  #elapsed = 0;
  readonly #sleepers = new Set<Sleeper>();

  constructor(now: Instant = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  /** Whole milliseconds, as a real clock gives them, whatever fraction a sleeper woke at. */
  now(): Instant {
    return Math.floor(this.#now);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  get sleeping(): number {
    return this.#sleepers.size;
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(signal.reason as Error);
        return;
      }
      const sleeper: Sleeper = {
        at: this.#elapsed + Math.max(0, ms),
        wake: () => {
          signal.removeEventListener("abort", stop);
          resolve();
        },
      };
      const stop = () => {
        this.#sleepers.delete(sleeper);
        reject(signal.reason as Error);
      };
      signal.addEventListener("abort", stop, { once: true });
      this.#sleepers.add(sleeper);
    });
  }

  /** Moves time on, waking each sleeper at its own time and letting promises settle in between. */
  async advance(ms: number): Promise<void> {
    const end = this.#elapsed + ms;
    for (;;) {
      await settle();
      const next = [...this.#sleepers].filter((s) => s.at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#moveTo(next.at);
      this.#sleepers.delete(next);
      next.wake();
    }
    this.#moveTo(end);
    await settle();
  }

  /** The wall clock jumps; durations do not. */
  jump(ms: number): void {
    this.#now += ms;
  }

  #moveTo(elapsed: number): void {
    this.#now += elapsed - this.#elapsed;
    this.#elapsed = elapsed;
  }
}

/** Lets every promise that is ready run. */
function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
