import type { ClusterId } from "@capstan/proto";
import type { Move } from "./model.ts";

/** A move with the labels that RollingSync looks at. */
export interface Work {
  readonly move: Move;
  readonly labels: Readonly<Record<string, string>>;
  readonly deadlineMs: number;
}

/** All that is to be done on one cluster. */
export interface ClusterWork {
  readonly cluster: ClusterId;
  readonly connected: boolean;
  readonly canary: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly changes: readonly Work[];
  readonly removals: readonly Move[];
}
