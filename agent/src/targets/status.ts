import { Fault, type Instant, objectKey, type TargetKey } from "@capstan/proto";
import type { DesiredTarget } from "@capstan/proto/desired";
import type { ApplyResult, Mode, ObjectOutcome } from "../apply/model.ts";
import type { TargetMemory } from "../cache/model.ts";
import type { TargetHealth } from "../health/model.ts";
import type { TargetPhase, TargetStatus } from "../report/model.ts";

/** Before anything is known of a target. */
export function blankStatus(target: TargetKey): TargetStatus {
  return {
    target,
    generation: 0n,
    digest: "",
    release: "",
    mode: "AdoptIfNoDiff",
    phase: "Waiting",
    problem: undefined,
    since: new Map(),
    health: undefined,
    healthSince: undefined,
    counts: undefined,
    findings: new Map(),
    appliedAt: undefined,
    rolledBackFrom: "",
    operation: "",
    operationDone: "",
    operationProblem: undefined,
  };
}

/** The status with what the desired state says of the target; one of a new generation starts afresh. */
export function described(
  status: TargetStatus,
  target: DesiredTarget,
  { memory, mode }: { readonly memory: TargetMemory; readonly mode: Mode },
): TargetStatus {
  const { generation, bundle, release } = target;
  const back = memory.rolledBack !== undefined && BigInt(memory.rolledBack.generation) >= generation;
  const fresh = status.generation === generation ? {} : ({ problem: undefined, phase: "Fetching" } as const);
  return {
    ...status,
    ...fresh,
    generation,
    release: release?.id ?? "",
    mode,
    operation: memory.operation ?? "",
    rolledBackFrom: back ? (bundle?.digest ?? "") : "",
  };
}

/** The status after its health was looked at. */
export function withHealth(status: TargetStatus, health: TargetHealth, now: Instant): TargetStatus {
  const same = status.health?.status === health.status;
  const healthSince = same ? status.healthSince : now;
  const settled = status.phase === "Settling" && health.status === "Healthy";
  return { ...status, health, healthSince, phase: settled ? "Done" : status.phase };
}

/** The status after a pass; `only` names the objects of a partial one. */
export function withResult(
  status: TargetStatus,
  result: ApplyResult,
  only: ReadonlySet<string> | undefined,
): TargetStatus {
  const findings = new Map(only === undefined ? [] : [...status.findings].filter(([key]) => !only.has(key)));
  for (const outcome of result.outcomes) if (isFinding(outcome)) findings.set(objectKey(outcome.ref), outcome);
  return {
    ...status,
    counts: only === undefined || status.counts === undefined ? result.counts : status.counts,
    findings,
    problem: ownProblem(result) ?? waitsFault(result),
  };
}

function isFinding({ action, fault }: ObjectOutcome): boolean {
  if (action === "skipped") return fault !== undefined;
  return action === "failed" || action === "different" || action === "held" || action === "deleting";
}

/** A fault of the pass itself, which no object's finding tells. */
function ownProblem(result: ApplyResult): Fault | undefined {
  return result.errors.find((fault) => !result.outcomes.some((outcome) => outcome.fault === fault));
}

/** For what a sync or a removal waits by itself, as a person reads it; undefined: for nothing. */
export function waitsFault({ waits }: { readonly waits?: string }): Fault | undefined {
  if (waits === undefined) return undefined;
  return new Fault("not-now", { message: `it waits: ${waits}.`, next: "It goes on by itself when that is so." });
}

/** The phase that a pass leaves a target in. */
export function phaseAfter(
  result: ApplyResult,
  at: { readonly observing: boolean; readonly back: boolean },
): TargetPhase {
  if (at.back) return "RolledBack";
  switch (result.phase) {
    case "Failed":
      return "Failed";
    case "Pending":
      return "Applying";
    default:
      return at.observing ? "Observed" : "Settling";
  }
}
