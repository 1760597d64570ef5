import type { Digest, Instant } from "@capstan/proto";

export type TaskState = "Pending" | "Waiting" | "Passed" | "Failed" | "Bypassed";

/** A word for one plan and release; it counts for no other. */
export interface Approval {
  readonly by: string;
  readonly at: Instant;
  readonly plan: Digest;
}

/** A task of a stage as far as it came. */
export interface TaskRun {
  readonly is: TaskState;
  readonly since: Instant;
  /** Why it is so, for people. */
  readonly reason: string;
  readonly approvals: readonly Approval[];
  /** Readings of a metric. */
  readonly good: number;
  readonly bad: number;
  readonly unclear: number;
  readonly readAt: Instant | null;
  /** What the last reading said. */
  readonly last: string;
  /** When a call went out. */
  readonly sentAt: Instant | null;
  /** How often it began. */
  readonly attempt: number;
}

export type Verdict = "good" | "bad" | "unclear";
