import type { Chance } from "./clock.ts";

/** How long to wait between tries, in milliseconds. */
export interface Backoff {
  readonly base: number;
  readonly factor: number;
  readonly cap: number;
}

/**
 * Full jitter: a uniform draw up to the capped exponential, so that a herd spreads out.
 * `attempt` counts from 0.
 */
export function backoffDelay(policy: Backoff, attempt: number, chance: Chance): number {
  const ceiling = Math.min(policy.cap, policy.base * policy.factor ** Math.min(attempt, 64));
  return ceiling * chance();
}

/** `ms` spread evenly over ± `share` of itself, as polls and renewals are. */
export function jittered(ms: number, share: number, chance: Chance): number {
  return ms * (1 - share + 2 * share * chance());
}
