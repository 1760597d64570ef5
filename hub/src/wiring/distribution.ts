import { DistributionReconciler } from "../distribution/reconciler.ts";
import { wireMode } from "../targets/policy.ts";
import type { Wiring } from "./rooms.ts";

/** Desired states for clusters that may be written to. */
export function makeDistribution(at: Wiring): DistributionReconciler {
  const { fleet, clock, stores, vault, crypto, hints } = at.ports;
  return new DistributionReconciler({
    fleet,
    clock,
    store: stores.desired,
    vault,
    crypto,
    hints: {
      hint: (cluster, revision) => {
        hints.publish(cluster, revision);
        at.rooms.sessions.hint(cluster, revision);
      },
    },
    recipient: (cluster) => {
      // What clusters hold is current as it is, until a person ends the rebuild.
      if (at.rebuilding() !== undefined) return undefined;
      const record = at.rooms.clusters.record(cluster);
      const named = at.rooms.clusters.get(cluster);
      if (named === undefined || record?.enrolment === undefined || record.claimed !== undefined) return undefined;
      if (record.incarnation === undefined || at.rooms.desk.isRevoked(cluster)) return undefined;
      const { sealingKey } = record.enrolment.keys;
      return {
        cluster,
        incarnation: record.incarnation,
        labels: named.labels,
        mode: wireMode(named.mode),
        sealingKey,
      };
    },
    onFault: (fault) => at.logFault("distribution", fault),
  });
}
