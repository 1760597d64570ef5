import type { Digest, Fault, Instant, ObjectRef, TargetKey } from "@capstan/proto";
import type { IgnoreRule } from "../drift/ignore.ts";
import type { Difference } from "../drift/model.ts";
import type { Inventory } from "../inventory/model.ts";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";

/** The field manager of every write. */
export const fieldManager = "capstan";
/** The label on every owned object, by which it is watched: `NAMESPACE.NAME` of the target, or a digest where too long. */
export const targetLabel = "capstan.dev/target";
/** The annotation that names the owning target in full (`NAMESPACE/NAME`); it decides ownership. */
export const ownerAnnotation = "capstan.dev/owner";

/**
 * `Observe`: report the difference, write nothing. `AdoptIfNoDiff`: take over an object that is not ours only where
 * nothing would change. `Enforce`: take it over. None of them takes an object from another target.
 */
export type Mode = "Observe" | "AdoptIfNoDiff" | "Enforce";

/** The account as which every object request of a target runs. */
export interface ServiceAccount {
  readonly namespace: string;
  readonly name: string;
}

/** How many objects of one target the agent deletes by itself within 24 hours (promise 4). */
export interface DeletionLimits {
  /** So many are always allowed. */
  readonly count: number;
  /** Beyond `count`: up to this share of the target's objects, 0 to 1. */
  readonly share: number;
  /** Kinds held besides the built-in ones, as `group/Kind` (`/Kind` in the core group). */
  readonly kinds: readonly string[];
  /** Nothing is held, no kind either: for sets that are marked ephemeral. */
  readonly off?: boolean;
}

/** max(5, 50 %), and no kinds besides the built-in ones. */
export const defaultDeletionLimits: DeletionLimits = { count: 5, share: 0.5, kinds: [] };

/** How often, and after which waits, a hook that failed is run again within one sync. */
export interface HookRetry {
  /** Negative: without end. */
  readonly limit: number;
  readonly firstMs: number;
  readonly factor: number;
  readonly longestMs: number;
}

/** Argo CD's, where nothing is asked for: 5 times, after 5 s, twice as long each time, up to 3 min. */
export const defaultHookRetry: HookRetry = { limit: 5, firstMs: 5_000, factor: 2, longestMs: 180_000 };

/** What the desired state says about how a target is applied. */
export interface ApplyPolicy {
  readonly mode: Mode;
  readonly prune: boolean;
  readonly selfHeal: boolean;
  /** `atomic`: nothing of a stage is written until all of it passed dry-run, and a failure ends the pass. */
  readonly onError: "atomic" | "continue";
  readonly account: ServiceAccount;
  /** Make the destination namespace where it is missing. It is never owned and never pruned. */
  readonly createNamespace: boolean;
  readonly namespaceMetadata: {
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations: Readonly<Record<string, string>>;
  };
  /** Whether an empty bundle may prune everything. */
  readonly allowEmpty: boolean;
  readonly propagation: "background" | "foreground" | "orphan";
  /** `false`: unknown and duplicate fields of a manifest are not refused. */
  readonly validate: boolean;
  /** Differences that are no drift; none where absent. */
  readonly ignore?: readonly IgnoreRule[];
  /** `false`: ignored fields are written from the manifest when the object is written for another reason. */
  readonly respectIgnored?: boolean;
  /** An object that cannot be changed in place is deleted and made anew: `Force=true`. Never one that others live in. */
  readonly recreate?: boolean;
  /** Objects that differ are replaced whole: `Replace=true`. */
  readonly replace?: boolean;
  /** Every deletion waits for a person: `Prune=confirm`. */
  readonly confirmPrune?: boolean;
  readonly limits: DeletionLimits;
  /** `defaultHookRetry` where absent. */
  readonly hookRetry?: HookRetry;
  /** Object keys whose deletion a person approved; they pass the limits. */
  readonly approved: ReadonlySet<string>;
}

/** One pass over a target, or over some of its objects. */
export interface ApplyInput {
  readonly target: TargetKey;
  /** The destination's namespace, for namespaced objects that name none. */
  readonly namespace: string;
  readonly generation: number;
  readonly digest: Digest | string;
  readonly policy: ApplyPolicy;
  /** Parsed manifests in the bundle's order. */
  readonly objects: Iterable<KubeObject> | AsyncIterable<KubeObject>;
  /** Only these object keys are looked at, and nothing is pruned: a drift check. It writes only with self-heal. */
  readonly only?: ReadonlySet<string>;
  /** A person asked for a sync: write even where this generation was applied before and self-heal is off. */
  readonly again?: boolean;
  /**
   * The sync that this pass is part of: its hooks run, once, and its waves wait for each other. Absent: no hook runs and
   * nothing waits, as in a look at what is applied.
   */
  readonly run?: string;
}

/** What a pass did with one object. */
export type Action =
  | "created"
  | "configured"
  | "adopted"
  | "unchanged"
  /** It differs and was not written: mode `Observe`, or drift without self-heal. */
  | "different"
  /** Left alone on purpose: an opt-out on the object, or a hook. */
  | "skipped"
  | "failed"
  | "pruned"
  /** Deletion was accepted; finalizers hold the object. */
  | "deleting"
  /** No longer ours: owned by another, opted out of pruning, or kept when its target left. */
  | "released"
  /** It would be pruned; pruning is off. */
  | "prunable"
  /** It would be pruned; the deletion guard or a failure in the same pass holds it. */
  | "held";

/** What happened to one object. */
export interface ObjectOutcome {
  readonly ref: ObjectRef;
  readonly action: Action;
  /** Why it failed, was skipped, released or held. */
  readonly fault?: Fault;
  readonly reason?: string;
  readonly differences?: readonly Difference[];
}

/** Something that happened to a hook in a pass. */
export interface HookEvent {
  readonly ref: ObjectRef;
  /** Phase and manifest. */
  readonly id: string;
  readonly state: "begun" | "running" | "succeeded" | "failed";
  readonly message: string;
}

/**
 * How a pass ended. `Held`: all is applied, deletions wait for a person. `Pending`: finalizers hold something that has to
 * go, a wave is not healthy yet or a hook runs (`waits` says which); call again later. `Different`: something differs and was not written, by mode or policy.
 */
export type ApplyPhase = "Applied" | "Failed" | "Held" | "Pending" | "Different";

/** What one pass did. */
export interface ApplyResult {
  readonly target: TargetKey;
  readonly generation: number;
  readonly digest: string;
  readonly phase: ApplyPhase;
  readonly counts: Readonly<Record<Action, number>>;
  /** All objects of the pass but the unchanged ones. */
  readonly outcomes: readonly ObjectOutcome[];
  /** The first ten faults, each with its object; not those of hooks, which are only left out. */
  readonly errors: readonly Fault[];
  /** For what the rest of the sync waits. */
  readonly waits?: string;
  /** Hooks that began or ended in this pass. */
  readonly hooks?: readonly HookEvent[];
  /** What the target owns after the pass; hand it to the watcher. */
  readonly inventory: Inventory;
  /** Objects whose correction is damped: call again, with `only`, after this time. */
  readonly recheck?: { readonly objects: ReadonlySet<string>; readonly afterMs: number };
  readonly startedAt: Instant;
  readonly endedAt: Instant;
}

/** The end of a target on this cluster, by a signed tombstone. */
export interface RemovalInput {
  readonly target: TargetKey;
  readonly account: ServiceAccount;
  readonly objects: "keep" | "prune";
  readonly propagation: ApplyPolicy["propagation"];
  /** Held kinds and approved keys where the tombstone itself is not the approval of everything. */
  readonly limits?: {
    readonly kinds: readonly string[];
    readonly approved: ReadonlySet<string>;
    /** Every object waits for a person. */
    readonly all?: boolean;
  };
}

/** `done` when nothing of the target is left to do; until then it is called again. */
export interface RemovalResult {
  readonly target: TargetKey;
  readonly done: boolean;
  readonly counts: Readonly<Record<Action, number>>;
  readonly outcomes: readonly ObjectOutcome[];
  readonly errors: readonly Fault[];
  /** For what it waits, beside objects that are going. */
  readonly waits?: string;
  /** Hooks that began or ended in this step. */
  readonly hooks?: readonly HookEvent[];
}

/** A manifest made ready: validated, stripped of what servers write, stamped as ours, in its namespace. */
export interface PreparedObject {
  readonly key: string;
  readonly address: ObjectAddress;
  readonly object: KubeObject;
  /** Of `object`; equal hashes mean equal wishes. */
  readonly hash: string;
}
