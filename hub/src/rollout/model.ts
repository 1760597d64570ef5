/**
 * A rollout moves a lane to a release, stage by stage. What moves is a cluster: all of the lane's targets there that
 * share a stage move together. Three pure parts work on these types: `plan` (no choices left), `check` (invariants) and
 * `step` (what to do next). The truth of a run is its plan and its transitions; its state is their fold.
 *
 * The pure verbs stand in the files of their names: strategy, plan, check, fold, step, why, verbs, supersede, rollback.
 *
 * Everything here but `Facts` is plain JSON. Times are the hub's wall clock; durations are milliseconds.
 */
import type { Branded, ClusterId, Digest, Instant, TargetKey } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import type { Amount, Strategy } from "./strategy.ts";

export type { Amount, Strategy } from "./strategy.ts";

/** `<set or application>:<lane>`: what one team releases. */
export type LaneKey = Branded<"LaneKey">;
/** One run in the fleet: `[a-z0-9-]{1,100}`, one NATS subject token. */
export type RunId = Branded<"RunId">;

/** The key of a lane: its owner (`namespace/name`) and its name in it. */
export function laneKey(set: string, lane: string): LaneKey {
  return `${set}:${lane}` as LaneKey;
}

/** Throws `bad-input` when the text is no run id. */
export function parseRunId(text: string): RunId {
  if (!/^[a-z0-9][a-z0-9-]{0,99}$/.test(text)) {
    throw new Fault("bad-input", { message: `a run id is 1 to 100 of a-z, 0-9 and -, found ${JSON.stringify(text)}.` });
  }
  return text as RunId;
}

/** Why there is a release: a commit, or an input that changed (`subject` then says which). Empty texts are unknown. */
export interface Cause {
  readonly commit: string;
  readonly author: string;
  readonly subject: string;
  readonly repository: string;
}

/** One target as a release wants it. */
export interface ReleaseTarget {
  readonly target: TargetKey;
  readonly cluster: ClusterId;
  /** Digest over bundle and apply policy: what must be dispatched again when it differs. */
  readonly content: Digest;
  /** Labels of the generated Application; RollingSync selects by them. */
  readonly labels?: Readonly<Record<string, string>>;
  /** The longest `progressDeadlineSeconds` of the target's workloads, in milliseconds. */
  readonly deadlineMs?: number;
}

/** What a lane should be at one moment. */
export interface Release {
  readonly id: Digest;
  readonly lane: LaneKey;
  readonly cause: Cause;
  readonly targets: readonly ReleaseTarget[];
}

/** One of the lane's targets as the hub's desired states hold it now. */
export interface Assigned {
  readonly target: TargetKey;
  readonly cluster: ClusterId;
  readonly content: Digest;
}

// ---- the plan ------------------------------------------------------------------------------------------------------

/** What happens to one target: `from` null: it is new there; `to` null: it is removed. */
export interface Move {
  readonly target: TargetKey;
  readonly from: Digest | null;
  readonly to: Digest | null;
  /** Of a removal: where the target went; it leaves only once it is healthy there. */
  readonly successor?: ClusterId;
}

export interface PlannedCluster {
  readonly cluster: ClusterId;
  /** Index into `Plan.stages`. */
  readonly stage: number;
  readonly moves: readonly Move[];
  readonly deadlineMs: number;
}

export type StageKind = "new" | "canary" | "step" | "all" | "removals";

export interface PlannedStage {
  readonly name: string;
  readonly kind: StageKind;
  /** Clusters frozen into it. */
  readonly size: number;
  /** Clusters in flight at once: null: no limit; a share is of `size` less those that left, rounded down, at least 1. */
  readonly maxConcurrency: Amount | null;
  readonly maxFailures: Amount | null;
  /** It cannot succeed below; a canary that went offline is replaced by a cluster of a later stage. */
  readonly minSuccess: number;
  /** Later stages, but for removals, do not wait for it. */
  readonly aside: boolean;
}

/** What kind of run it is, and from which it comes. */
export type Origin =
  | { readonly kind: "release" }
  | { readonly kind: "rollback"; readonly of: RunId; readonly scope: RollbackScope }
  | { readonly kind: "catch-up"; readonly of: RunId }
  | { readonly kind: "retry"; readonly of: RunId };

export type RollbackScope = "failed" | "stage" | "touched" | "all";

export interface PlanInput {
  readonly run: RunId;
  readonly origin: Origin;
  readonly now: Instant;
  readonly actor: string;
  readonly reason: string;
  readonly release: Release;
  /** The release that the lane is at; null when it had none, or several. */
  readonly previous: Digest | null;
  /** All of the lane's targets in the hub's desired states. */
  readonly current: readonly Assigned[];
  readonly clusters: readonly ClusterAtPlan[];
  readonly strategy: Strategy;
  /** Plan for these clusters alone; absent: for all. */
  readonly only?: readonly ClusterId[];
  /** Move also what is at the release already (a retry). */
  readonly again?: boolean;
}

/** A cluster as planning sees it. `connected` is false for one that is cordoned, too. Targets of a cluster that is not listed are left out and named in `Plan.unknown`. */
export interface ClusterAtPlan {
  readonly id: ClusterId;
  readonly connected: boolean;
  /** A person prefers it as canary (label `capstan.dev/canary: "true"`). */
  readonly canary?: boolean;
}

/** Immutable. Two plans from the same input have the same hash. */
export interface Plan {
  readonly hash: Digest;
  readonly run: RunId;
  readonly origin: Origin;
  readonly plannedAt: Instant;
  readonly actor: string;
  readonly reason: string;
  readonly lane: LaneKey;
  readonly release: Digest;
  readonly cause: Cause;
  readonly previous: Digest | null;
  readonly strategy: Strategy;
  readonly stages: readonly PlannedStage[];
  /** In the order of dispatch, stage by stage. A cluster is in one stage that changes it, and perhaps in the last, which removes. */
  readonly clusters: readonly PlannedCluster[];
  readonly unchanged: number;
  /** The release's targets that do not move: with the moves, all that the release is (`releaseOf`). */
  readonly kept: readonly Assigned[];
  /** Planned for some clusters only, so that it does not tell the whole release. */
  readonly partial: boolean;
  /** Targets that no RollingSync step selects: they never move (Argo CD's rule); shown as a warning. */
  readonly unmatched: readonly TargetKey[];
  readonly unknown: readonly ClusterId[];
}

/** SHA-256 over the text's UTF-8 bytes: handed in, for hashing belongs to the platform. */
export type Hash = (text: string) => Digest;

// ---- states --------------------------------------------------------------------------------------------------------

export type HeldOn = "gate" | "window" | "budget" | "deleteGuard" | "capacity";

export type RunPhase =
  | { readonly phase: "Draft" | "Planned" | "Running" }
  /** By a person, or by `capstan` after too many failures; the latter needs retry, rollback, skip or a newer release. */
  | { readonly phase: "Paused"; readonly by: string; readonly reason: string; readonly failure: boolean }
  | { readonly phase: "Held"; readonly on: HeldOn; readonly reason: string }
  | { readonly phase: "Aborting" | "Aborted"; readonly by: string; readonly reason: string }
  | {
      readonly phase: "RollingBack" | "RolledBack" | "RollbackFailed";
      readonly run: RunId;
      readonly scope: RollbackScope;
    }
  | { readonly phase: "Succeeded" | "SucceededWithDeferred" | "SucceededWithFailures" | "Failed" }
  | { readonly phase: "Superseded"; readonly run: RunId };

export type RunPhaseName = RunPhase["phase"];

export type StagePhase =
  | { readonly phase: "Pending" | "BeforeTasks" | "Verifying" | "Soaking" | "AfterTasks" }
  /** `limit`: clusters in flight at once (null: none), computed from `of`, the frozen size less those that left. */
  | { readonly phase: "Dispatching"; readonly limit: number | null; readonly of: number }
  | { readonly phase: "Succeeded" | "Failed" | "Skipped" | "Aborted" };

export type ClusterStatus =
  | { readonly is: "Pending" }
  | { readonly is: "Waiting"; readonly on: "window" | "rate" | "concurrency" }
  /** `seq`: the cluster's revision when it was decided; what it gets has a higher one. `recall`: aborted before an ack. */
  | { readonly is: "Dispatched"; readonly seq: number; readonly recall?: true }
  /** `generation`: the highest of its targets' that the agent acts on. */
  | { readonly is: "Acked" | "Applying" | "Progressing" | "Healthy" | "Done"; readonly generation: number }
  | { readonly is: "Failed"; readonly because: "apply" | "health" | "deadline" | "policy"; readonly message: string }
  /** `dispatched`: its desired state names the new content, so it catches up by itself. */
  | { readonly is: "Deferred"; readonly because: "offline" | "cordoned" | "successor"; readonly dispatched: boolean }
  | { readonly is: "Skipped"; readonly reason: string }
  | { readonly is: "Removed" }
  | { readonly is: "RolledBack" | "Superseded"; readonly run: RunId };

export type ClusterStatusName = ClusterStatus["is"];

export interface ClusterRun {
  /** Usually the planned one; a replacement canary changes it. */
  readonly stage: number;
  readonly status: ClusterStatus;
  readonly since: Instant;
  /** 0 until dispatched; grows by a retry. A dispatch is named by (run, cluster index, attempt). */
  readonly attempt: number;
  readonly dispatchedAt: Instant | null;
  /** `seq` of the last dispatch. */
  readonly dispatchedSeq: number;
  /** The deadline clock: what had passed when it stood last, and since when it goes (null: it stands). */
  readonly spentMs: number;
  readonly clockFrom: Instant | null;
}

export interface StageRun {
  readonly status: StagePhase;
  readonly since: Instant;
  /** A person let a manual stage go. */
  readonly unlocked: boolean;
}

/** The fold of a plan and its transitions; `seq` is the last one's, 0 before the first. */
export interface RunState {
  readonly plan: Plan;
  readonly seq: number;
  readonly status: RunPhase;
  readonly since: Instant;
  readonly startedAt: Instant | null;
  readonly endedAt: Instant | null;
  readonly stages: readonly StageRun[];
  /** `plan.clusters`, then those that joined. */
  readonly members: readonly PlannedCluster[];
  /** Parallel to `members`. */
  readonly clusters: readonly ClusterRun[];
}

export type Change =
  | { readonly of: "run"; readonly to: RunPhase }
  | { readonly of: "stage"; readonly stage: number; readonly to: StagePhase }
  | { readonly of: "unlock"; readonly stage: number }
  /** `index` into `RunState.members`. */
  | { readonly of: "cluster"; readonly index: number; readonly cluster: ClusterId; readonly to: ClusterStatus }
  | { readonly of: "clock"; readonly index: number; readonly cluster: ClusterId; readonly running: boolean }
  /** A cluster that was not started takes another stage: it replaces a canary that is offline. */
  | { readonly of: "restage"; readonly index: number; readonly cluster: ClusterId; readonly stage: number }
  | { readonly of: "join"; readonly member: PlannedCluster };

/** One line of the record: `seq` counts from 1 without gaps; `actor` is a person or `capstan`. */
export interface Transition {
  readonly seq: number;
  readonly at: Instant;
  readonly actor: string;
  readonly reason: string;
  readonly change: Change;
}

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

/** What `step` and `why` may know. */
export interface Facts {
  readonly now: Instant;
  /** Since when this hub listens: no cluster is called offline for what it missed before. */
  readonly listeningSince: Instant;
  /** Undefined: the cluster is no longer in the fleet. */
  of(cluster: ClusterId): ClusterFact | undefined;
  /** The deletion guard's word on one removal: why it is held; undefined: allowed. */
  heldRemoval?(cluster: ClusterId, target: TargetKey): string | undefined;
  /** The phase of the run that rolls this one back. */
  readonly rollback?: RunPhase;
}

/** Names of the rules that make something wait. */
export type Rule =
  | "not-started"
  | "paused"
  | "failures"
  | "held-gate"
  | "held-delete-guard"
  | "held-capacity"
  | "aborting"
  | "rolling-back"
  | "earlier-stage"
  | "concurrency"
  | "offline"
  | "successor"
  | "acknowledgement"
  | "applying"
  | "agent-holds"
  | "health"
  | "stable"
  | "removal"
  | "failed"
  | "pinned"
  | "next-step";

/** Why something waits: never empty for what is not finished. */
export interface Reason {
  readonly rule: Rule;
  /** One sentence without its end time: what is so. */
  readonly text: string;
  readonly since: Instant;
  /** What would let it go on: an event, or a command. */
  readonly unblock: string;
  /** At most the first ten that it is about. */
  readonly clusters: readonly ClusterId[];
}

/** What distribution must make true of one cluster; doing it again changes nothing. */
export interface Dispatch {
  /** `<run>/<index>/<attempt>`: the operation; the same id asks for the same thing. */
  readonly id: string;
  readonly cluster: ClusterId;
  /** Only `target` and `to` count; a recall has `to` where the move had `from`. */
  readonly moves: readonly Move[];
  /** `recall` corrects a dispatch that was not acknowledged before an abort. */
  readonly kind: "move" | "recall";
  /** A retry: each target gets a new generation although its content stays, so that it is applied again. */
  readonly again: boolean;
}

export interface StepResult {
  /** The same object when nothing changed. */
  readonly state: RunState;
  /** To be recorded before anything of `dispatch` is done. */
  readonly transitions: readonly Transition[];
  /** New ones, and those whose desired state does not say so yet (the hub died between record and write). */
  readonly dispatch: readonly Dispatch[];
  /** The run's reason, then one for each stage that waits. */
  readonly waiting: readonly Reason[];
  /** When time alone may change something; null: only new facts or verbs can. */
  readonly wakeAt: Instant | null;
}

/** What every verb is given. */
export interface Intent {
  readonly now: Instant;
  readonly actor: string;
  /** Empty where the person gave none. */
  readonly reason: string;
}

export type VerbResult = Pick<StepResult, "state" | "transitions">;

/** A lane held at a release by a rollback, until somebody unpins it. */
export interface Pin {
  readonly lane: LaneKey;
  readonly release: Digest;
  readonly by: string;
  readonly reason: string;
  readonly at: Instant;
  readonly run: RunId;
}
