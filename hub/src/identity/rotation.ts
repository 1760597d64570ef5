import type { ClusterId } from "@capstan/proto";
import type { IdentityTimes, KeyNotes, Trust } from "./model.ts";

/** What is decided about keys from. */
export interface RotationInput {
  readonly now: number;
  readonly times: IdentityTimes;
  /** Ids of the signing keys that are there, oldest first. */
  readonly signing: readonly string[];
  /** Pins of the CA certificates that are there, oldest first. */
  readonly roots: readonly string[];
  /** Undefined: this fleet has noted nothing yet. */
  readonly notes: KeyNotes | undefined;
  /** Every cluster that is welcome, with what it is known to trust. */
  readonly clusters: ReadonlyMap<ClusterId, Trust | undefined>;
}

/** What holds of the keys now. */
export interface Rotation {
  readonly notes: KeyNotes;
  /** Which key signs. */
  readonly signWith: string;
  /** Pins of CA certificates that count no longer. */
  readonly retired: readonly string[];
}

/** When a key or CA takes its next step at the latest. */
export function dueAt(times: IdentityTimes) {
  return {
    /** By then every agent of whatever version has renewed, or must before it connects again. */
    signing: (announcedAt: number) => announcedAt + times.certificate + times.skew,
    /** Beyond it a cluster that was away could not renew anyhow. */
    root: (announcedAt: number) => announcedAt + times.grace,
    /** People and their tools have had so long to take the new CA. */
    rootOverlap: (announcedAt: number) => announcedAt + times.rootOverlap,
  };
}

/**
 * A new signing key is offered first, and signs once every cluster is known to trust it, or once each must have renewed
 * since. A CA is retired when a newer one has been offered for the overlap and every cluster trusts that one, or when the
 * grace for renewals is over. Keys that stand there when nothing was noted yet are in use already.
 */
export function rotate(input: RotationInput): Rotation {
  const notes = { signing: signingNotes(input), roots: rootNotes(input) };
  const active = input.signing.filter((id) => notes.signing[id]?.activeAt !== undefined);
  return {
    notes,
    signWith: active.at(-1) ?? input.signing[0] ?? "",
    retired: input.roots.filter((pin) => notes.roots[pin]?.retiredAt !== undefined),
  };
}

/** Clusters that are not known to trust the key or CA. */
export function missing(
  clusters: RotationInput["clusters"],
  of: { readonly kind: keyof Trust; readonly id: string },
): ClusterId[] {
  return [...clusters].filter(([, trust]) => trust?.[of.kind].includes(of.id) !== true).map(([id]) => id);
}

/** Whether this trust lacks something of what is offered. */
export function isBehind(trust: Trust | undefined, offered: Trust): boolean {
  const lacks = (kind: keyof Trust) => offered[kind].some((id) => trust?.[kind].includes(id) !== true);
  return lacks("keys") || lacks("roots");
}

function signingNotes({ now, times, signing, notes, clusters }: RotationInput): KeyNotes["signing"] {
  const known = signing.some((id) => notes?.signing[id] !== undefined);
  const entries = signing.map((id) => {
    const before = notes?.signing[id] ?? { announcedAt: now, ...(known ? {} : { activeAt: now }) };
    const ready =
      missing(clusters, { kind: "keys", id }).length === 0 || now >= dueAt(times).signing(before.announcedAt);
    return [id, before.activeAt === undefined && ready ? { ...before, activeAt: now } : before] as const;
  });
  return Object.fromEntries(entries);
}

function rootNotes({ now, times, roots, notes, clusters }: RotationInput): KeyNotes["roots"] {
  const announced = new Map(roots.map((pin) => [pin, notes?.roots[pin]?.announcedAt ?? now] as const));
  const newest = roots.at(-1) ?? "";
  const offered = announced.get(newest) ?? now;
  const overlapped =
    now >= dueAt(times).rootOverlap(offered) && missing(clusters, { kind: "roots", id: newest }).length === 0;
  const over = overlapped || now >= dueAt(times).root(offered);
  const entries = roots.map((pin) => {
    const retiredAt = notes?.roots[pin]?.retiredAt ?? (over ? now : undefined);
    const retires = pin !== newest && retiredAt !== undefined;
    return [pin, { announcedAt: announced.get(pin) ?? now, ...(retires ? { retiredAt } : {}) }] as const;
  });
  return Object.fromEntries(entries);
}
