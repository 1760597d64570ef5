/**
 * A rollout moves a lane to a release, stage by stage. What moves is a cluster: all of the lane's targets there that
 * share a stage move together. Three pure parts work on these types: `plan` (no choices left), `check` (invariants) and
 * `step` (what to do next). The truth of a run is its plan and its transitions; its state is their fold.
 * Everything here but `Facts` is plain JSON. Times are the hub's wall clock; durations are milliseconds.
 */
import { type Branded, type ClusterId, type Digest, Fault, type Instant, type TargetKey } from "@capstan/proto";
import type { Task } from "../documents/strategy-model.ts";
import type { ClusterFact } from "./facts-model.ts";
import type { Closed, Reason } from "./reason.ts";
import type { Amount, Strategy } from "./strategy.ts";
import type { TaskRun, TaskState, Verdict } from "./task-model.ts";

export type { ClusterFact, Health, Phase, TargetFact, TargetReport } from "./facts-model.ts";
export type { Closed, Reason, Rule } from "./reason.ts";
export type { Amount, Strategy } from "./strategy.ts";
export type { TaskRun, TaskState, Verdict } from "./task-model.ts";

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
  /** What its rate is counted by: the value of the strategy's label. */
  readonly rateKey?: string;
}

/** `gate`: without clusters, for tasks before or after groups. */
export type StageKind = "new" | "canary" | "step" | "all" | "gate" | "removals";

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
  /** Stages of one wave go on beside each other; absent: it stands alone. */
  readonly wave?: number;
  /** Limits over its whole wave. */
  readonly waveConcurrency?: Amount;
  readonly waveFailures?: Amount;
  /** Of its clusters and those of `covers`, so many must succeed; shares are rounded up. */
  readonly minimum?: Amount;
  /** Clusters that may be ill at once because of this run. */
  readonly maxUnavailable?: Amount;
  /** Its clusters (or those of `covers`) stay healthy for so long before it ends. */
  readonly soakMs?: number;
  /** Of the last part of a stage: all its parts. */
  readonly covers?: readonly number[];
  /** What has to pass before the first cluster starts, in order, and before the stage ends. */
  readonly before?: readonly Task[];
  readonly after?: readonly Task[];
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
  readonly emergency?: Emergency;
}

/** A cluster as planning sees it. `connected` is false for one that is cordoned, too. Targets of a cluster that is not listed are left out and named in `Plan.unknown`. */
export interface ClusterAtPlan {
  readonly id: ClusterId;
  readonly connected: boolean;
  /** A person prefers it as canary (label `capstan.dev/canary: "true"`). */
  readonly canary?: boolean;
  /** Stages of a `RolloutStrategy` select by them. */
  readonly labels?: Readonly<Record<string, string>>;
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
  /** What surely was not meant, one sentence each. */
  readonly warnings?: readonly string[];
  /** A person let it pass gates, soaks, windows and rates. */
  readonly emergency?: Emergency;
}

/** Why a run passes what else would hold it. */
export interface Emergency {
  readonly by: string;
  readonly reason: string;
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
  | {
      readonly is: "Dispatched";
      readonly seq: number;
      readonly recall?: true;
      /** It was ill before: it does not count as made unavailable. */
      readonly ill?: true;
    }
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
  /** It was ill when it was dispatched last. */
  readonly ill?: boolean;
}

export interface StageRun {
  readonly status: StagePhase;
  readonly since: Instant;
  /** A person let a manual stage go. */
  readonly unlocked: boolean;
  /** A person ended its soak. */
  readonly promoted: boolean;
  /** Parallel to `before`, then `after`, of the planned stage. */
  readonly tasks: readonly TaskRun[];
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
  | { readonly of: "promote"; readonly stage: number }
  /** `task`: index into `StageRun.tasks`. */
  | { readonly of: "task"; readonly stage: number; readonly task: number; readonly to: TaskState }
  | { readonly of: "approval"; readonly stage: number; readonly task: number; readonly plan: Digest }
  | {
      readonly of: "reading";
      readonly stage: number;
      readonly task: number;
      readonly verdict: Verdict;
    }
  | { readonly of: "sent"; readonly stage: number; readonly task: number }
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

/** What `step` and `why` may know. */
export interface Facts {
  readonly now: Instant;
  /** Since when this hub listens: no cluster is called offline for what it missed before. */
  readonly listeningSince: Instant;
  /** Undefined: the cluster is no longer in the fleet. */
  of(cluster: ClusterId): ClusterFact | undefined;
  /** Why nothing may move there now; undefined: no window is in the way. */
  closed?(cluster: ClusterId, moves: readonly Move[]): Closed | undefined;
  /** The deletion guard's word on one removal: why it is held; undefined: allowed. */
  heldRemoval?(cluster: ClusterId, target: TargetKey): string | undefined;
  /** The phase of the run that rolls this one back. */
  readonly rollback?: RunPhase;
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

/** What the shell asks the world for a task; its answer comes back by `report`. Asking twice does no harm. */
export interface Errand {
  /** `<run>/<stage>/<task>/<attempt>/<reading>`: the same id asks for the same thing. */
  readonly id: string;
  readonly run: RunId;
  readonly stage: number;
  readonly task: number;
  readonly work: Extract<Task, { kind: "metric" | "webhook" | "notify" }>;
}

export interface StepResult {
  /** The same object when nothing changed. */
  readonly state: RunState;
  /** To be recorded before anything of `dispatch` is done. */
  readonly transitions: readonly Transition[];
  /** New ones, and those whose desired state does not say so yet (the hub died between record and write). */
  readonly dispatch: readonly Dispatch[];
  readonly errands: readonly Errand[];
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
  /** Made by a strategy's own rollback: it ends as soon as Git brings another content. */
  readonly untilOther?: boolean;
}
