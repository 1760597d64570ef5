import { type Backoff, backoffDelay, type Chance, jittered } from "@capstan/proto";

/** When to look at a repository again. */
export interface Schedule {
  /** Between two successful looks, in milliseconds. */
  readonly pollMs: number;
  /** Share of `pollMs` by which each wait varies, so that repositories spread out. */
  readonly jitter: number;
  readonly backoff: Backoff;
}

/** Every 120 s ± 20 %; after failures up to 5 s, doubling to 5 min. */
export const defaultSchedule: Schedule = {
  pollMs: 120_000,
  jitter: 0.2,
  backoff: { base: 5000, factor: 2, cap: 300_000 },
};

/** How long to wait, after `failures` failed tries in a row (0: the last one succeeded). */
export function nextLookMs(schedule: Schedule, failures: number, chance: Chance): number {
  if (failures === 0) return jittered(schedule.pollMs, schedule.jitter, chance);
  // Full jitter alone may draw almost nothing and hammer a server that is down.
  return Math.max(1000, backoffDelay(schedule.backoff, failures - 1, chance));
}
