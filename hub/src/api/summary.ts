import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Instant } from "@capstan/proto";
import type { FaultDetail } from "@capstan/proto/common";
import {
  type Cluster as ClusterMessage,
  ClusterState,
  type GetFleetStatusResponse,
  GetFleetStatusResponseSchema,
  type Look,
  type RolloutLine,
  TargetCountsSchema,
} from "@capstan/proto/fleet";
import { fleetCounts } from "./fleet-counts.ts";

/** What the one-screen summary is made of. */
export interface SummaryInput {
  readonly now: Instant;
  readonly fleet: string;
  readonly clusters: readonly ClusterMessage[];
  /** Targets in no cluster's desired state: no cluster counts them. */
  readonly undelivered: number;
  readonly rollouts: readonly RolloutLine[];
  /** Worst first. */
  readonly looks: readonly Look[];
  readonly problems: readonly FaultDetail[];
}

/** Looks that a screen shows; the others are counted. */
const shown = 20;

/** The summary. Pure. */
export function summary(input: SummaryInput): GetFleetStatusResponse {
  const { now, fleet, clusters, undelivered, rollouts, looks, problems } = input;
  const of = (state: ClusterState) => clusters.filter((cluster) => cluster.state === state);
  const offline = of(ClusterState.OFFLINE);
  return create(GetFleetStatusResponseSchema, {
    fleet,
    clusters: clusters.length,
    connected: of(ClusterState.CONNECTED).length,
    offline: offline.length,
    pending: of(ClusterState.PENDING).length,
    unknown: of(ClusterState.UNKNOWN).length,
    revoked: of(ClusterState.REVOKED).length,
    offlineClusters: offline.map(({ id, lastSeen }) => ({
      id,
      ...(lastSeen === undefined ? {} : { since: lastSeen }),
    })),
    targets: create(TargetCountsSchema, fleetCounts(clusters, undelivered)),
    rollouts: [...rollouts],
    looks: looks.slice(0, shown),
    moreLooks: Math.max(0, looks.length - shown),
    asOf: timestampFromMs(now),
    problems: [...problems],
  });
}
