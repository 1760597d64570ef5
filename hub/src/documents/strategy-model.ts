import type { Instant } from "@capstan/proto";

/** A number of clusters, or a share of a stage. */
export type Amount = { readonly count: number } | { readonly percent: number };

/** A Kubernetes label requirement over a cluster's labels. */
export interface LabelMatch {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}

/** Which clusters: all given parts must hold; an empty selector takes every cluster that is left. */
export interface ClusterSelect {
  /** Cluster ids; empty: any. */
  readonly clusters: readonly string[];
  readonly labels: readonly LabelMatch[];
}

/** How clusters of a stage are put in order; the id decides the rest. */
export type StageOrder =
  | { readonly by: "name" }
  /** By a hash of the release and the id: another order each time, the same for the same plan. */
  | { readonly by: "hash" }
  /** By a label's whole number, smallest first; clusters without one come last. */
  | { readonly by: "label"; readonly label: string };

/** Clusters of a stage that move beside those of the other groups. */
export interface GroupSpec {
  readonly name: string;
  readonly select: ClusterSelect;
  readonly maxConcurrency: Amount | null;
  /** Null: the stage's. */
  readonly maxFailures: Amount | null;
}

/** One stage of a `RolloutStrategy`. Null: the strategy's own, or none. */
export interface StageSpec {
  readonly name: string;
  readonly select: ClusterSelect;
  readonly groups: readonly GroupSpec[];
  readonly order: StageOrder;
  /** The first clusters of the stage, alone; none of them may fail. */
  readonly canary: { readonly size: Amount; readonly soakMs: number } | null;
  /** Splits the stage into parts of about `size`, once it has more than `threshold` clusters. */
  readonly partition: { readonly size: Amount; readonly threshold: number } | null;
  readonly maxConcurrency: Amount | null;
  readonly maxUnavailable: Amount | null;
  readonly maxFailures: Amount | null;
  readonly minSuccess: Amount | null;
  /** Healthy for so long after the last success before the next stage begins. */
  readonly soakMs: number;
  readonly before: readonly Task[];
  readonly after: readonly Task[];
}

interface TaskCommon {
  /** Unique in its stage. */
  readonly name: string;
  /** Null: it may wait for ever. */
  readonly timeoutMs: number | null;
  readonly onTimeout: "fail" | "continue";
}

/** `<` `<=` `>` `>=` `==` `!=` against a number. */
export interface Comparison {
  readonly operator: "<" | "<=" | ">" | ">=" | "==" | "!=";
  readonly value: number;
}

export type ApprovalTask = TaskCommon & {
  readonly kind: "approval";
  readonly quorum: number;
  /** Who approves has one of these roles; empty: anybody who may. */
  readonly groups: readonly string[];
  /** The commit's author does not count. */
  readonly notAuthor: boolean;
  /** An older approval counts no more; null: it holds for the run. */
  readonly expiresMs: number | null;
};
export type WaitTask = TaskCommon & { readonly kind: "wait"; readonly forMs: number };
export type ScheduleTask = TaskCommon & {
  readonly kind: "schedule";
  /** Not before. */
  readonly at: Instant | null;
  /** Only within a window. */
  readonly window: { readonly schedule: string; readonly timeZone: string; readonly durationMs: number } | null;
};
export type MetricTask = TaskCommon & {
  readonly kind: "metric";
  /** Base URL of a Prometheus HTTP API. */
  readonly url: string;
  readonly query: string;
  /** Good readings are wanted for so long, one each `everyMs`. */
  readonly windowMs: number;
  readonly everyMs: number;
  readonly compare: Comparison;
  /** Bad readings that are endured. */
  readonly failures: number;
  /** No data, NaN, or a server that is down or slow. */
  readonly onInconclusive: "wait" | "fail" | "continue";
  /** Name of a secret of the hub's config, sent as bearer token; empty: none. */
  readonly secret: string;
};
export type WebhookTask = TaskCommon & {
  readonly kind: "webhook";
  readonly url: string;
  /** True: it passes when it is called back; false: when the call was answered with success. */
  readonly callback: boolean;
  readonly secret: string;
};
export type NotifyTask = TaskCommon & {
  readonly kind: "notify";
  readonly url: string;
  readonly text: string;
  readonly secret: string;
};

/** What a stage does before it begins, or before it ends. */
export type Task = ApprovalTask | WaitTask | ScheduleTask | MetricTask | WebhookTask | NotifyTask;

export type SupersedePolicy = "queue" | "replace-unstarted" | "abort-running" | "latest-verified";

/** `spec` of a `RolloutStrategy`, read. Null: the fleet's default. */
export interface RolloutStrategySpec {
  readonly stages: readonly StageSpec[];
  /** What happens to clusters that no stage selects. */
  readonly unmatched: "fail" | "warn" | "last-stage" | "ignore";
  readonly maxConcurrency: Amount | null;
  /** Of each stage that names none; default 0. */
  readonly maxFailures: Amount | null;
  /** Over all stages. */
  readonly maxFailuresTotal: Amount | null;
  readonly onFailure: "pause" | "abort" | "rollback" | "continue";
  readonly rollbackScope: "failed" | "stage" | "touched";
  readonly supersede: SupersedePolicy;
  readonly progressDeadlineMs: number | null;
  readonly stableForMs: number | null;
  readonly offlineAfterMs: number | null;
  readonly offlinePolicy: "defer" | "fail" | "skip";
  /** Clusters begun within a minute, in all and for each value of a label. */
  readonly rateLimit: { readonly perMinute: number | null; readonly per: RatePer | null };
}

export interface RatePer {
  readonly label: string;
  readonly perMinute: number;
}
