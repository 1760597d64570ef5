import { type Cluster, ClusterState, type GetFleetStatusResponse, type TargetCounts } from "@capstan/proto/fleet";
import type { RolloutView } from "@capstan/proto/rollout";

/** What the live view is drawn from. */
export interface Seen {
  readonly status: GetFleetStatusResponse;
  readonly clusters: readonly Cluster[];
  /** Rollouts that are not over. */
  readonly rollouts: readonly RolloutView[];
}

const states: Readonly<Record<ClusterState, string>> = {
  [ClusterState.UNSPECIFIED]: "unknown",
  [ClusterState.PENDING]: "not joined yet",
  [ClusterState.CONNECTED]: "connected",
  [ClusterState.OFFLINE]: "offline",
  [ClusterState.UNKNOWN]: "unknown",
  [ClusterState.REVOKED]: "revoked",
};
const shown = 6;

/**
 * The fleet in a few lines: clusters, rollouts under way, and what needs a look. `brief` leaves out what changes with every
 * second, for a log.
 */
export function viewLines({ status, clusters, rollouts }: Seen, detail: "full" | "brief"): string[] {
  const width = Math.max(8, ...clusters.map(({ id }) => id.length));
  const lines = clusters.map(({ id, state, targets }) => {
    return `${id.padEnd(width)}  ${(states[state] ?? "").padEnd(14)}  ${countsText(targets)}`;
  });
  for (const { lane, state, release, stages, reason } of rollouts.slice(0, shown)) {
    const done = stages.flatMap((stage) => stage.clusters).filter((one) => one.state === "Done").length;
    const all = stages.flatMap((stage) => stage.clusters).length;
    const told = reason !== undefined && (detail === "full" || state !== "Running");
    const why = told ? `  ${reason.message}` : "";
    lines.push(`rollout ${lane}  ${JSON.stringify(release?.subject ?? "")}  ${state}  ${done}/${all} clusters${why}`);
  }
  if (rollouts.length > shown) lines.push(`and ${rollouts.length - shown} more rollouts`);
  for (const { kind, name, cluster, message } of status.looks.slice(0, shown)) {
    lines.push(`${kind}  ${name}  ${cluster}  ${message}`);
  }
  return lines;
}

function countsText(counts: TargetCounts | undefined): string {
  if (counts === undefined || counts.total === 0) return "no targets yet";
  const { total, healthy, progressing, degraded, missing, unknown, synced, drifted, moving, waiting, undelivered } =
    counts;
  const all = { healthy, progressing, degraded, missing, unknown, synced, drifted, moving, waiting, undelivered };
  const told = Object.entries(all)
    .filter(([, count]) => count > 0)
    .map(([word, count]) => `${count} ${word}`);
  return `${total} targets: ${told.join(", ")}`;
}
