import { type ClusterId, type Instant, type TargetKey, windowsOpen } from "@capstan/proto";
import { Health as WireHealth, Phase as WirePhase } from "@capstan/proto/agent";
import type { Window } from "@capstan/proto/desired";
import type { TargetStatus } from "../status/model.ts";
import type { Closed, ClusterFact, Facts, Health, LaneKey, Move, Phase, RunPhase, TargetReport } from "./model.ts";
import type { Assignments, ClusterView, RemovalGuard } from "./port.ts";

const healths: Record<number, Health> = {
  [WireHealth.HEALTHY]: "Healthy",
  [WireHealth.PROGRESSING]: "Progressing",
  [WireHealth.DEGRADED]: "Degraded",
  [WireHealth.SUSPENDED]: "Suspended",
  [WireHealth.MISSING]: "Missing",
};

const phases: Record<number, Phase> = {
  [WirePhase.WAITING]: "Held",
  [WirePhase.FETCHING]: "Pending",
  [WirePhase.APPLYING]: "Applying",
  [WirePhase.SETTLING]: "Applied",
  [WirePhase.DONE]: "Applied",
  [WirePhase.FAILED]: "Failed",
  [WirePhase.ROLLED_BACK]: "Failed",
  [WirePhase.REMOVING]: "Applying",
  [WirePhase.OBSERVED]: "Observed",
};

/** What is looked at for one lane. */
interface Views {
  readonly lane: LaneKey | undefined;
  readonly assignments: Assignments;
  readonly clusters: ClusterView;
  readonly guard: RemovalGuard;
  /** The windows of a content that the lane knows, as they are now. */
  windowsOf(cluster: ClusterId, move: Move): readonly Window[];
}

/** What the executor may know of the fleet at one moment, for one lane. */
export function factsOf(now: Instant, views: Views, rollback: RunPhase | undefined): Facts {
  return {
    now,
    listeningSince: views.clusters.listeningSince,
    of: (cluster) => clusterFact(cluster, views),
    closed: (cluster, moves) =>
      closedBy(
        now,
        moves.flatMap((move) => views.windowsOf(cluster, move)),
      ),
    heldRemoval: (cluster, target) => (isElsewhere(target, views) ? undefined : views.guard.held(cluster, target)),
    ...(rollback === undefined ? {} : { rollback }),
  };
}

/** The agent's own rule, so that nothing is sent that it would not apply. A schedule that nobody can read closes. */
function closedBy(now: Instant, windows: readonly Window[]): Closed | undefined {
  if (windows.length === 0) return undefined;
  const gate = windowsOpen({ windows: [...windows] }, { now, byPerson: false });
  if (gate.kind === "open") return undefined;
  return { text: gate.fault.message.replace(/^it waits: |\.$/g, ""), until: gate.until ?? now + 60_000 };
}

/** Whether another lane has the target by now. */
function isElsewhere(target: TargetKey, { lane, assignments }: Views): boolean {
  const now = assignments.laneOf(target);
  return now !== undefined && now !== lane;
}

function clusterFact(cluster: ClusterId, views: Views): ClusterFact | undefined {
  const { assignments, clusters } = views;
  const seen = clusters.status(cluster);
  if (seen === undefined) return undefined;
  return {
    connected: seen.connected,
    cordoned: seen.cordoned === true,
    lastSeen: seen.status.lastSeen,
    revision: assignments.revision(cluster),
    target: (target: TargetKey) => ({
      ...(isElsewhere(target, views) ? { elsewhere: true as const } : {}),
      desired: assignments.held(cluster, target) ?? null,
      reported: reported(seen.status.targets.get(target)),
    }),
  };
}

function reported(status: TargetStatus | undefined): TargetReport | null {
  if (status === undefined) return null;
  const { report, healthSince } = status;
  const [problem] = report.problems;
  return {
    generation: Number(report.generation),
    phase: phases[report.phase] ?? "Pending",
    health: healths[report.health] ?? "Unknown",
    healthSince,
    error: problem?.message ?? (report.healthMessage === "" ? "" : report.healthMessage),
  };
}

/** `set:lane` taken apart; the set is `namespace/name`. */
export function splitLane(lane: LaneKey): { readonly owner: string; readonly name: string } {
  const at = lane.indexOf(":");
  return { owner: lane.slice(0, at), name: lane.slice(at + 1) };
}
