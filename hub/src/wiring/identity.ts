import type { ClusterId } from "@capstan/proto";
import { ClustersReconciler } from "../clusters/reconciler.ts";
import { IdentityDesk } from "../identity/desk.ts";
import { Keyring } from "../identity/keyring.ts";
import type { Trust } from "../identity/model.ts";
import { StatusReconciler } from "../status/reconciler.ts";
import type { Wiring } from "./rooms.ts";

/** Identities, kept in the clusters' records. */
export function makeDesk(at: Wiring): IdentityDesk {
  const { clock, config, stores, desk } = at.ports;
  const { authority, signer, users, crypto, endpoints } = desk;
  return new IdentityDesk({
    ...{ authority, signer, users, crypto, endpoints },
    clock,
    times: config.identity,
    store: stores.identity,
    onFault: (fault) => at.logFault("revocations", fault),
    enrolment: (cluster) => at.rooms.clusters.record(cluster)?.enrolment,
    saveEnrolment: async (enrolment, signal) => {
      await at.rooms.clusters.enrolled(enrolment, signal);
    },
  });
}

/** Signing keys and CAs, from their first offer to their end. */
export function makeKeyring(at: Wiring): Keyring {
  const { clock, config, stores, desk } = at.ports;
  const { notes } = stores;
  return new Keyring({
    clock,
    times: config.identity,
    authority: desk.authority,
    signer: desk.signer,
    notes: {
      read: (signal) => notes.read("keys", signal),
      write: (value, signal) => notes.write("keys", value, signal),
    },
    clusters: () => welcome(at),
    askToRenew: (cluster, withinMs) => at.rooms.sessions.askToRenew(cluster, withinMs),
    onRoots: () => desk.onRoots(),
    onFault: (fault) => at.logFault("keys", fault),
    told: (message, fields) => at.ports.log("info", message, fields),
  });
}

/** Clusters that have joined and are not revoked, with what they are known to trust. */
function welcome(at: Wiring): ReadonlyMap<ClusterId, Trust | undefined> {
  const joined = at.rooms.clusters.records().filter(({ enrolment }) => enrolment !== undefined);
  const kept = joined.filter(({ id }) => !at.rooms.desk.isRevoked(id));
  return new Map(kept.map(({ id, trust }) => [id, trust] as const));
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
