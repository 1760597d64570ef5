import type { Instant } from "@capstan/proto";

/** One object of a target's tree. Names and states only: no object's content is ever shown. */
export interface TreeNode {
  /** `group/Kind/namespace/name`. */
  readonly object: string;
  /** The object that owns it; absent for the target's own. */
  readonly parent?: string;
  readonly health?: string;
  /** One line on its health. */
  readonly message?: string;
  /** What a person wants to know first: `1/2 ready, 3 restarts`. */
  readonly info?: string;
  /** RFC 3339. */
  readonly created?: string;
}

/** The answer to a `ResourceTreeQuestion`. */
export interface Tree {
  readonly nodes: readonly TreeNode[];
  /** There are objects that were not looked at. */
  readonly more: boolean;
}

/** One event of Kubernetes, as it is shown. */
export interface ShownEvent {
  /** RFC 3339; when it was seen last. */
  readonly at: string;
  readonly type: string;
  readonly reason: string;
  /** `Pod shop/web-1`. */
  readonly object: string;
  readonly message: string;
  readonly count: number;
}

/** An event as the cluster tells it. */
export interface LiveEvent {
  readonly at: Instant;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly object: { readonly group: string; readonly kind: string; readonly namespace: string; readonly name: string };
}

/** A container whose log is read. */
export interface LogSource {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
}

/** How a log is read. */
export interface LogOptions {
  /** Newest so many lines. */
  readonly tail: number;
  /** Only the last so many seconds; 0: all. */
  readonly sinceSeconds: number;
  readonly previous: boolean;
  readonly follow: boolean;
}

/** A line of an answer to a `LogsQuestion`. */
export type LogLine =
  | { readonly pod: string; readonly container: string; readonly at: string; readonly line: string }
  | { readonly pod: string; readonly container: string; readonly problem: string }
  | { readonly left: number };

/** Bounds of all views. */
export const viewLimits = {
  /** Namespaces of a target that are looked into. */
  namespaces: 20,
  /** Objects of one kind in one namespace. */
  objects: 500,
  events: 1_000,
  usualEvents: 50,
  /** Containers whose logs are read at once. */
  sources: 40,
  tail: 10_000,
  usualTail: 200,
  /** Characters of one log line; the rest is cut. */
  lineChars: 8_192,
  /** Characters of a log that is not followed, all containers together. */
  logChars: 2 * 1024 * 1024,
  /** Characters of each part of a log that is followed, and how often a part is sent. */
  partChars: 64 * 1024,
  partMs: 250,
  followMs: 3_600_000,
} as const;
