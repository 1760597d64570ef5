import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Fault, type Instant, limits, objectKey, parseTargetKey } from "@capstan/proto";
import {
  type Counts,
  CountsSchema,
  type Drift,
  DriftSchema,
  Health,
  Phase,
  type Problem,
  ProblemSchema,
  Sync,
  type TargetReport,
  TargetReportSchema,
} from "@capstan/proto/agent";
import { Mode as WireMode } from "@capstan/proto/desired";
import type { Mode, ObjectOutcome } from "../apply/model.ts";
import type { HealthStatus } from "../health/model.ts";
import type { TargetPhase, TargetStatus } from "./model.ts";
import { problemKey, statedProblems } from "./problems.ts";

const phases: Record<TargetPhase, Phase> = {
  Waiting: Phase.WAITING,
  Fetching: Phase.FETCHING,
  Applying: Phase.APPLYING,
  Settling: Phase.SETTLING,
  Done: Phase.DONE,
  Failed: Phase.FAILED,
  RolledBack: Phase.ROLLED_BACK,
  Removing: Phase.REMOVING,
  Observed: Phase.OBSERVED,
};

const healths: Record<HealthStatus, Health> = {
  Healthy: Health.HEALTHY,
  Suspended: Health.SUSPENDED,
  Progressing: Health.PROGRESSING,
  Missing: Health.MISSING,
  Degraded: Health.DEGRADED,
  Unknown: Health.UNKNOWN,
};

const modes: Record<Mode, WireMode> = {
  Observe: WireMode.OBSERVE,
  AdoptIfNoDiff: WireMode.ADOPT_IF_NO_DIFF,
  Enforce: WireMode.ENFORCE,
};

/** What the hub is told of a target. Field values never go into it: paths, names, counts and sentences only. */
export function foldReport(status: TargetStatus): TargetReport {
  const { namespace, name } = parseTargetKey(status.target);
  const counts = countsOf(status);
  return create(TargetReportSchema, {
    namespace,
    name,
    generation: status.generation,
    digest: status.digest,
    phase: phases[status.phase],
    health: status.health === undefined ? Health.UNSPECIFIED : healths[status.health.status],
    healthMessage: cut(status.health?.message ?? ""),
    ...stamp("healthSince", status.healthSince),
    sync: syncOf(status, counts),
    counts,
    problems: problemsOf(status),
    drift: driftOf(status),
    ...stamp("appliedAt", status.appliedAt),
    release: status.release,
    mode: modes[status.mode],
    rolledBackFrom: status.rolledBackFrom,
    operation: status.operation,
    operationDone: cut(status.operationDone),
    ...(status.operationProblem === undefined ? {} : { operationProblem: problemOf(status.operationProblem) }),
  });
}

/** A fault as it crosses the wire; `since` is when it was first seen. */
export function problemOf(
  fault: Fault,
  known: { readonly object?: string; readonly since?: Instant | undefined } = {},
): Problem {
  return create(ProblemSchema, {
    code: fault.code,
    message: cut(fault.message),
    object: known.object || (fault.where.object ?? ""),
    next: cut(fault.next ?? ""),
    ...stamp("since", known.since),
  });
}

function stamp<K extends string>(key: K, at: Instant | undefined) {
  return at === undefined ? {} : ({ [key]: timestampFromMs(at) } as Record<K, ReturnType<typeof timestampFromMs>>);
}

function cut(text: string): string {
  return text.length <= limits.problemChars ? text : `${text.slice(0, limits.problemChars - 1)}…`;
}

function countsOf(status: TargetStatus): Counts {
  const { counts, findings, health } = status;
  if (counts === undefined) return create(CountsSchema);
  const found = [...findings.values()];
  const many = (test: (outcome: ObjectOutcome) => boolean) => found.filter(test).length;
  const failed = many(({ action }) => action === "failed");
  const drifted = many(({ action }) => action === "different");
  const { created, configured, adopted, unchanged, different, skipped, failed: failedFirst } = counts;
  const objects = created + configured + adopted + unchanged + different + skipped + failedFirst;
  const healthy = health === undefined ? 0 : health.counts.Healthy;
  const foreign = many(({ fault }) => fault?.code === "object-owned");
  const synced = Math.max(0, objects - failed - drifted - skipped);
  return create(CountsSchema, {
    objects,
    synced,
    healthy,
    failed,
    drifted,
    prunable: counts.prunable + counts.held,
    foreign,
  });
}

function syncOf(status: TargetStatus, counts: Counts): Sync {
  switch (status.phase) {
    case "Waiting":
    case "Observed":
      return counts.drifted === 0 && status.phase === "Observed" ? Sync.SYNCED : Sync.WAITING;
    case "Fetching":
    case "Applying":
    case "Removing":
      return Sync.MOVING;
    default:
      if (counts.drifted > 0) return Sync.DRIFTED;
      return counts.failed > 0 || status.counts === undefined ? Sync.WAITING : Sync.SYNCED;
  }
}

function problemsOf(status: TargetStatus): Problem[] {
  return statedProblems(status).map(({ object, fault }) =>
    problemOf(fault, { object, since: status.since.get(problemKey({ object, fault })) }),
  );
}

function driftOf(status: TargetStatus): Drift[] {
  const drifted = [...status.findings.values()].filter(({ action }) => action === "different");
  return drifted
    .flatMap(({ ref, differences = [] }) =>
      differences.map(({ pointer, manager = "", time }) => {
        const at = time === undefined ? Number.NaN : Date.parse(time);
        const when = Number.isNaN(at) ? {} : { at: timestampFromMs(at) };
        return create(DriftSchema, { object: objectKey(ref), path: pointer, manager, ...when });
      }),
    )
    .slice(0, limits.reportProblems);
}
