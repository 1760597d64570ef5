import type { Instant } from "@capstan/proto";
import type { Shelved } from "./port.ts";

/** What is known when bundles are looked through. */
export interface SweepInput {
  readonly now: Instant;
  readonly stored: readonly Shelved[];
  /** Hex digests that a desired state, a rollout or a release names, or that were asked for lately. */
  readonly named: ReadonlySet<string>;
  /** Since when each was seen to be named by nobody. */
  readonly marks: ReadonlyMap<string, Instant>;
  /** How long a publish may take from storing a bundle to naming it, in milliseconds. */
  readonly graceMs: number;
}

/** What is to go, and what is marked for the next look. */
export interface Sweep {
  readonly drop: readonly string[];
  readonly marks: ReadonlyMap<string, Instant>;
}

/** Marks what nobody names, and drops what was marked a grace ago and is still named by nobody. Pure. */
export function sweep({ now, stored, named, marks, graceMs }: SweepInput): Sweep {
  const drop: string[] = [];
  const next = new Map<string, Instant>();
  for (const { hex, storedAt } of stored) {
    if (named.has(hex)) continue;
    const since = Math.max(marks.get(hex) ?? now, storedAt);
    if (marks.has(hex) && now - since >= graceMs) drop.push(hex);
    else next.set(hex, marks.get(hex) ?? now);
  }
  return { drop, marks: next };
}
