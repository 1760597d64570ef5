import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Instant, parseDigest } from "@capstan/proto";
import type { DesiredTarget } from "@capstan/proto/desired";
import type { TargetMemory } from "../cache/model.ts";
import type { TargetStatus } from "../report/model.ts";

/**
 * When the agent may go back by itself to the bundle before: where the desired state permits it, after the health deadline
 * of a bundle that was never healthy. Undefined: not at all. The deadline says nothing of a later illness, and what is only
 * observed is never written.
 */
export function rollBackAt(target: DesiredTarget, memory: TargetMemory, status: TargetStatus): Instant | undefined {
  const deadline = target.healthDeadline === undefined ? 0 : durationMs(target.healthDeadline);
  if (!target.mayRollBackLocally || deadline === 0 || status.mode === "Observe") return undefined;
  const { began, good, previous, rolledBack } = memory;
  if (rolledBack !== undefined || previous === undefined || began === undefined) return undefined;
  if (BigInt(began.generation) !== target.generation) return undefined;
  return good === parseDigest(target.bundle?.digest ?? "") ? undefined : began.at + deadline;
}
