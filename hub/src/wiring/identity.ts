import { ClustersReconciler } from "../clusters/reconciler.ts";
import { IdentityDesk } from "../identity/desk.ts";
import { StatusReconciler } from "../status/reconciler.ts";
import type { Wiring } from "./rooms.ts";

/** Identities, kept in the clusters' records. */
export function makeDesk(at: Wiring): IdentityDesk {
  const { clock, config, stores, desk } = at.ports;
  return new IdentityDesk({
    ...desk,
    clock,
    times: config.identity,
    store: stores.identity,
    enrolment: (cluster) => at.rooms.clusters.record(cluster)?.enrolment,
    saveEnrolment: async (enrolment, signal) => {
      await at.rooms.clusters.enrolled(enrolment, signal);
    },
  });
}

/** The registry over documents and what people set. */
export function makeClusters(at: Wiring): ClustersReconciler {
  return new ClustersReconciler({
    store: at.ports.stores.clusters,
    clock: at.ports.clock,
    documented: (id) => at.documented().get(id),
    documentedIds: () => at.documented().keys(),
    onChange: (id) => at.clusterChanged(id),
  });
}

/** What agents say, folded. */
export function makeStatus(at: Wiring): StatusReconciler {
  const { clock, stores } = at.ports;
  return new StatusReconciler({
    store: stores.status,
    clock,
    gatherMs: 50,
    onFault: (fault) => at.logFault("status", fault),
  });
}
