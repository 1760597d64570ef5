import type { Cluster as ClusterMessage } from "@capstan/proto/fleet";
import { type Counts, noCounts } from "../status/count.ts";

/** Counts of the whole fleet: what each cluster's desired state names, and what is in none of them, which nobody can report on. */
export function fleetCounts(clusters: readonly Pick<ClusterMessage, "targets">[], undelivered: number): Counts {
  const sum = noCounts();
  for (const { targets } of clusters) {
    if (targets === undefined) continue;
    for (const name of Object.keys(sum) as (keyof Counts)[]) sum[name] += targets[name];
  }
  sum.total += undelivered;
  sum.unknown += undelivered;
  sum.undelivered += undelivered;
  return sum;
}
