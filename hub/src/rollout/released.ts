import type { Digest, Instant } from "@capstan/proto";
import type { Emergency, LaneKey, RunState } from "./model.ts";

/** A person's word that a lane may go to a release, once; kept until a run has begun by it. */
export interface Released {
  readonly lane: LaneKey;
  readonly release: Digest;
  readonly by: string;
  readonly at: Instant;
  readonly emergency?: Emergency;
}

/** Whether a run to this release has begun since: the hub died before it forgot the word. */
export function isUsed({ release, at }: Released, runs: readonly RunState[]): boolean {
  return runs.some(({ plan }) => plan.release === release && plan.plannedAt >= at);
}
