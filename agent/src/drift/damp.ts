import type { Instant } from "@capstan/proto";

/** When corrections of one object count as a fight with somebody, and how long the agent then keeps still. */
export interface FightPolicy {
  /** So many equal corrections within `windowMs` are a fight. */
  readonly corrections: number;
  readonly windowMs: number;
  /** The first pause, doubled with each further correction up to `longestMs`. */
  readonly pauseMs: number;
  readonly longestMs: number;
}

/** Five equal corrections within 10 minutes; pauses of 1 minute up to 30. */
export const defaultFightPolicy: FightPolicy = {
  corrections: 5,
  windowMs: 600_000,
  pauseMs: 60_000,
  longestMs: 1_800_000,
};

/** Equal corrections of one object, oldest first. */
export interface Fight {
  /** What is corrected: the sorted paths and the desired manifest's hash. */
  readonly signature: string;
  readonly times: readonly Instant[];
}

/**
 * Whether the object may be corrected now. 0: yes; else the milliseconds to keep still. Another signature (other fields,
 * or a new manifest) starts afresh.
 */
export function pauseOf(
  fight: Fight | undefined,
  signature: string,
  now: Instant,
  policy = defaultFightPolicy,
): number {
  if (fight === undefined || fight.signature !== signature) return 0;
  const last = fight.times.at(-1);
  const extra = fight.times.length - policy.corrections;
  if (last === undefined || extra < 0) return 0;
  const pause = Math.min(policy.longestMs, policy.pauseMs * 2 ** Math.min(extra, 20));
  return Math.max(0, last + pause - now);
}

/** The fight after one more correction. A correction long after the last one starts afresh. */
export function corrected(
  fight: Fight | undefined,
  signature: string,
  now: Instant,
  policy = defaultFightPolicy,
): Fight {
  if (fight === undefined || fight.signature !== signature) return { signature, times: [now] };
  const last = fight.times.at(-1) ?? now;
  const horizon = Math.max(policy.windowMs, policy.longestMs * 2);
  if (now - last > horizon) return { signature, times: [now] };
  const fighting = fight.times.length >= policy.corrections;
  const times = fighting ? fight.times : fight.times.filter((time) => now - time <= policy.windowMs);
  return { signature, times: [...times, now].slice(-32) };
}
