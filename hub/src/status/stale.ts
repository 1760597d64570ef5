import type { Instant } from "@capstan/proto";

/** Milliseconds of silence after which a cluster counts as offline, and how long a hub listens before it says so. */
export interface Staleness {
  readonly heartbeatMs: number;
  readonly offlineAfterMs: number;
  readonly graceMs: number;
}

/**
 * Heartbeats are scaled to the fleet, at most 50 a second in all (Nomad's rule): max(10 s, N/50 s).
 * Three missed ones mean offline; nobody is called offline in the first 120 s of a hub.
 */
export function staleness(clusters: number): Staleness {
  // Whole milliseconds: the wire takes nothing else.
  const heartbeatMs = Math.max(10_000, clusters * 20);
  return { heartbeatMs, offlineAfterMs: 3 * heartbeatMs, graceMs: 120_000 };
}

/** Whether a cluster that was last heard of at `lastSeen` is offline at `now`. */
export function isOffline(
  lastSeen: Instant,
  at: { readonly now: Instant; readonly listeningSince: Instant; readonly staleness: Staleness },
): boolean {
  if (at.now - at.listeningSince < at.staleness.graceMs && lastSeen < at.listeningSince) return false;
  return at.now - Math.max(lastSeen, 0) > at.staleness.offlineAfterMs;
}
