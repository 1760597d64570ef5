import { durationMs } from "@bufbuild/protobuf/wkt";
import { backoffDelay, type Chance, Fault, type Instant } from "@capstan/proto";
import type { DesiredTarget, Retry } from "@capstan/proto/desired";

/** Failed passes in a row. */
export interface Failure {
  /** What was tried, see `attemptOf`. */
  readonly attempt: string;
  readonly count: number;
  /** When it may be tried again; undefined: not by itself. */
  readonly again: Instant | undefined;
}

/** What one more failure is judged from. */
export interface Failing {
  readonly attempt: string;
  /** Without one the agent tries on, with growing waits. */
  readonly policy: Retry | undefined;
  /** The same attempt has gone well before in this process: what is kept is not given up. */
  readonly wentWell: boolean;
  readonly now: Instant;
  readonly chance: Chance;
}

/** How the agent waits where nothing else is asked for. */
export const ownBackoff = { base: 1_000, factor: 2, cap: 300_000 } as const;

/** What tells one attempt from another: generation, bundle, operation. */
export function attemptOf(target: DesiredTarget, operation = ""): string {
  return `${target.generation}@${target.bundle?.digest ?? ""}@${operation}`;
}

/** The row of failures with one more; Argo CD's rule where a policy says how (so many retries, no jitter). */
export function afterFailure(before: Failure | undefined, failing: Failing): Failure {
  const { attempt, policy, wentWell, now, chance } = failing;
  const count = before?.attempt === attempt ? before.count + 1 : 1;
  if (policy === undefined) {
    return { attempt, count, again: now + Math.max(200, backoffDelay(ownBackoff, count - 1, chance)) };
  }
  if (policy.limit >= 0 && count > policy.limit && !wentWell) return { attempt, count, again: undefined };
  const first = policy.duration === undefined ? 5_000 : durationMs(policy.duration);
  const longest = policy.maxDuration === undefined ? 180_000 : durationMs(policy.maxDuration);
  const grown = first * (policy.factor > 0 ? policy.factor : 2) ** Math.min(count - 1, 64);
  return { attempt, count, again: now + Math.max(200, Math.min(longest, grown)) };
}

/**
 * Until when an attempt waits because it has failed, where a policy says how it is retried: `never` for one that was given
 * up, undefined for one that may go now. Without a policy any event may be the occasion to try again.
 */
export function waitsUntil(
  failure: Failure | undefined,
  { attempt, policy, now }: Pick<Failing, "attempt" | "policy" | "now">,
): Instant | "never" | undefined {
  if (failure === undefined || failure.attempt !== attempt || policy === undefined) return undefined;
  if (failure.again === undefined) return "never";
  return now < failure.again ? failure.again : undefined;
}

/** Why nothing is tried any more. */
export function givenUp(target: DesiredTarget, { count }: Failure): Fault {
  return new Fault("held", {
    message: `it failed ${count} times, and its retry policy permits no more: generation ${target.generation} is given up.`,
    next: `Mend the cause; a new commit or \`capstan sync ${target.name}\` tries again.`,
  });
}
