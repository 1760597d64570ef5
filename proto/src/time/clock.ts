/** Milliseconds since 1970-01-01T00:00:00Z, as a wall clock shows them. For display and records, never for ordering. */
export type Instant = number;

/** The only way by which a shell learns the time or waits. Cores are given `now` as data. */
export interface Clock {
  /** Wall clock. */
  now(): Instant;
  /** Milliseconds from an arbitrary start, never going back. For durations. */
  monotonic(): number;
  /** Resolves after `ms`; rejects with the signal's reason when it aborts first. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** A number in [0, 1); handed in so that decisions can be replayed. */
export type Chance = () => number;
