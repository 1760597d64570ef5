import type { ClusterId, Instant } from "@capstan/proto";

/** A window that is in the way. */
export interface Closed {
  /** `freeze quarter-end is active`. */
  readonly text: string;
  /** When it is looked at again at the latest. */
  readonly until: Instant;
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
  | "record-unreadable"
  | "gate-approval"
  | "gate-wait"
  | "gate-schedule"
  | "gate-metric"
  | "gate-webhook"
  | "gate-notify"
  | "gate-failed"
  | "soak"
  | "window"
  | "rate"
  | "unavailable"
  | "short"
  | "plan"
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
  /** When it will be over, as far as can be told. */
  readonly until?: Instant;
}
