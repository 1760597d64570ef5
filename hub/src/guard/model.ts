/**
 * The deletion guard: a glitch must not delete. Removals beyond its limits are held until a person approves exactly the
 * list that is shown. Counted over a rolling 24 hours. All plain JSON but for the counts.
 */
import type { ClusterId, Digest, Instant, ObjectRef, TargetKey } from "@capstan/proto";

/** One target that is to leave a cluster. */
export interface Removal {
  readonly target: TargetKey;
  readonly cluster: ClusterId;
  /** The set that generated it; null: a standalone Application, which has no set's rules. */
  readonly set: string | null;
  /** It goes to another cluster: a loss for this cluster, none for its set or the fleet. */
  readonly moves?: boolean;
}

/** A removal that was done. */
export interface PastRemoval extends Removal {
  readonly at: Instant;
  /** A person had approved it, so that it does not count against the next. */
  readonly approved: boolean;
  /** Who had. */
  readonly by?: string;
}

/** `max(count, percent of what there was)`. */
export interface Share {
  readonly count: number;
  readonly percent: number;
}

export interface GuardLimits {
  readonly set: Share;
  readonly cluster: Share;
  /** Targets of the whole fleet. */
  readonly fleet: number;
}

/** Promise 4. */
export const defaultLimits: GuardLimits = {
  set: { count: 1, percent: 10 },
  cluster: { count: 1, percent: 10 },
  fleet: 20,
};

/** What a set says for itself. */
export interface SetGuard {
  readonly limit?: Share;
  /** Previews and the like: a complete, authenticated, empty answer does remove. */
  readonly ephemeral?: boolean;
}

export interface GuardInput {
  readonly now: Instant;
  /** All that is to be removed now and was not yet. */
  readonly removals: readonly Removal[];
  /** Targets there are now, those to be removed among them: by set, by cluster, in all. */
  readonly counts: HoldingCounts;
  /** Older ones than 24 hours are ignored. */
  readonly history: readonly PastRemoval[];
  readonly limits: GuardLimits;
  readonly sets: ReadonlyMap<string, SetGuard>;
  readonly approvals: readonly Approval[];
  readonly hash: (text: string) => Digest;
  /** Why a removal waits for a person by what it would delete, whatever the numbers; undefined: it does not. */
  readonly protects?: (one: Removal) => string | undefined;
}

export interface HoldingCounts {
  readonly sets: ReadonlyMap<string, number>;
  readonly clusters: ReadonlyMap<ClusterId, number>;
  readonly fleet: number;
}

export type GuardRule = "last-of-set" | "share-of-set" | "share-of-cluster" | "fleet-limit" | "protected-kind";

/** What a person is shown, and approves as it is. */
export interface HeldList {
  /** The set's name, or `application <target>`. */
  readonly scope: string;
  /** One sentence for each rule that holds. */
  readonly rules: readonly { readonly rule: GuardRule; readonly text: string }[];
  /** Sorted by cluster and target. */
  readonly list: readonly Removal[];
  /** Over exactly this list. */
  readonly digest: Digest;
}

export interface GuardResult {
  readonly allowed: readonly Removal[];
  readonly held: readonly HeldList[];
}

/** Covers what stands on its list and nothing else: each removal once, for 14 days. */
export interface Approval {
  readonly scope: string;
  readonly digest: Digest;
  readonly list: readonly { readonly target: TargetKey; readonly cluster: ClusterId }[];
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
}

// ---- objects of one target -----------------------------------------------------------------------------------------

export interface GuardedObject extends ObjectRef {
  /** Of a Service: its type is LoadBalancer. */
  readonly loadBalancer?: boolean;
}

export interface ObjectGuardInput {
  /** What the inventory says the target owns. */
  readonly owned: readonly GuardedObject[];
  /** What the new bundle holds. */
  readonly bundle: readonly ObjectRef[];
  readonly limit: Share;
  /** `group/Kind` of kinds that the fleet protects besides the built-in ones; the core group is empty: `/Secret`. */
  readonly protectedKinds: readonly string[];
  /** Object keys that a person approved. */
  readonly approved: ReadonlySet<string>;
}

/** Promise 4, of one target's objects. */
export const defaultObjectLimit: Share = { count: 5, percent: 50 };

export type ObjectRule = "share-of-objects" | "protected-kind";

export interface ObjectGuardResult {
  readonly allowed: readonly GuardedObject[];
  readonly held: readonly {
    readonly rule: ObjectRule;
    readonly text: string;
    readonly list: readonly GuardedObject[];
  }[];
}
