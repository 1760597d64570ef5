import type { Cluster as ClusterMessage } from "@capstan/proto/fleet";
import { ClusterState } from "@capstan/proto/fleet";
import { isOver } from "../rollout/fold.ts";
import { fleetCounts } from "./fleet-counts.ts";
import type { Seen } from "./seen.ts";

const states: readonly (readonly [string, ClusterState])[] = [
  ["pending", ClusterState.PENDING],
  ["connected", ClusterState.CONNECTED],
  ["offline", ClusterState.OFFLINE],
  ["unknown", ClusterState.UNKNOWN],
  ["revoked", ClusterState.REVOKED],
];
const healths = ["healthy", "progressing", "degraded", "suspended", "missing", "unknown"] as const;
const syncs = ["synced", "drifted", "moving", "waiting", "undelivered"] as const;
const phases = ["Planned", "Running", "Paused", "Held", "Aborting", "RollingBack"] as const;

type Sample = readonly [labels: string, value: number];

/** Gauges of the fleet in Prometheus' text format. Names and counts only: no object, no content (promise 10). */
export function metricsText(
  clusters: readonly ClusterMessage[],
  seen: Seen,
  { leading, outcomes }: { readonly leading: boolean; readonly outcomes: number },
): string {
  const counts = fleetCounts(clusters, seen.undelivered);
  const runs = seen.lanes.map((key) => seen.lane(key)?.run).filter((run) => run !== undefined && !isOver(run.status));
  const failing = new Set<string>();
  for (const { repositories } of seen.world.releases.states()) {
    for (const each of repositories) {
      const [url = "", revision = ""] = each.split(" ");
      if (seen.world.repositories.faultOf(url, revision) !== undefined) failing.add(each);
    }
  }
  return [
    gauge("capstan_leading", "Whether this hub leads.", [["", leading ? 1 : 0]]),
    gauge(
      "capstan_clusters",
      "Clusters by state.",
      states.map(([name, state]) => [`state="${name}"`, clusters.filter((each) => each.state === state).length]),
    ),
    gauge(
      "capstan_targets_health",
      "Targets by health.",
      healths.map((name) => [`health="${name}"`, counts[name]]),
    ),
    gauge(
      "capstan_targets_sync",
      "Targets by sync.",
      syncs.map((name) => [`sync="${name}"`, counts[name]]),
    ),
    gauge("capstan_targets_refused", "Targets that could not be made as asked.", [
      ["", seen.rows.filter(({ fault }) => fault !== undefined).length],
    ]),
    gauge(
      "capstan_rollouts",
      "Rollouts that are not over, by phase.",
      phases.map((name) => [`phase="${name}"`, runs.filter((run) => run?.status.phase === name).length]),
    ),
    gauge("capstan_lanes_pinned", "Lanes that a person holds at a release.", [
      ["", seen.lanes.filter((key) => seen.lane(key)?.pin !== undefined).length],
    ]),
    gauge("capstan_sources_failing", "Repositories at a revision that cannot be read now.", [["", failing.size]]),
    gauge("capstan_deletions_held", "Lists of removals that wait for a person.", [
      ["", seen.world.guard.lists().length],
    ]),
    gauge("capstan_changes_total", "Changes of what people see since this hub began.", [
      ["", seen.world.changes.sequence()],
    ]).replace(" gauge\n", " counter\n"),
    gauge("capstan_audit_outcomes_lost_total", "Outcomes of calls that the audit could not store.", [
      ["", outcomes],
    ]).replace(" gauge\n", " counter\n"),
  ].join("");
}

function gauge(name: string, help: string, samples: readonly Sample[]): string {
  const lines = samples.map(([labels, value]) => `${name}${labels === "" ? "" : `{${labels}}`} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join("")}`;
}
