import type { Digest, Instant, TargetKey } from "@capstan/proto";

export type Health = "Healthy" | "Progressing" | "Degraded" | "Suspended" | "Missing" | "Unknown";
/**
 * How far the agent is with the generation that it reports. `Held`: it may not (a window, a missing feature): the deadline
 * clock stands. `Observed`: its mode writes nothing, so there is nothing to wait for.
 */
export type Phase = "Pending" | "Applying" | "Applied" | "Failed" | "Held" | "Observed";

export interface TargetFact {
  /** It belongs to another lane by now: no longer this run's business. */
  readonly elsewhere?: true;
  /** What the leader's signed desired state of that cluster says; null: the target is not in it. */
  readonly desired: { readonly generation: number; readonly content: Digest } | null;
  /** What the agent said last; null: nothing, or it confirmed that the target is gone. */
  readonly reported: TargetReport | null;
}

export interface TargetReport {
  readonly generation: number;
  readonly phase: Phase;
  readonly health: Health;
  /** When the hub first saw this health. */
  readonly healthSince: Instant;
  /** The first error, for people; empty where none. */
  readonly error: string;
}

/** `lastSeen`: when the hub last heard of it, 0: never; `revision`: of its desired state, 0: none. */
export interface ClusterFact {
  readonly connected: boolean;
  /** A person wants nothing new to go there. */
  readonly cordoned?: boolean;
  readonly lastSeen: Instant;
  readonly revision: number;
  target(target: TargetKey): TargetFact;
}
