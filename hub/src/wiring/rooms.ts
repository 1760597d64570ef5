import type { ClusterId, Digest, Fault } from "@capstan/proto";
import type { AgentEvent } from "@capstan/proto/agent";
import type { documentedClusters } from "../clusters/documented.ts";
import type { ClustersReconciler } from "../clusters/reconciler.ts";
import type { CollectReconciler } from "../collect/reconciler.ts";
import type { DistributionReconciler } from "../distribution/reconciler.ts";
import type { Sessions } from "../distribution/sessions.ts";
import type { DocumentsReconciler } from "../documents/reconciler.ts";
import type { GuardKeeper } from "../guard/keeper.ts";
import type { IdentityDesk } from "../identity/desk.ts";
import type { Keyring } from "../identity/keyring.ts";
import type { ListingsReconciler } from "../listings/reconciler.ts";
import type { ReleasesReconciler } from "../releases/reconciler.ts";
import type { RolloutReconciler } from "../rollout/reconciler.ts";
import type { StatusReconciler } from "../status/reconciler.ts";
import type { Rebuild } from "../store/rebuild.ts";
import type { HubPorts } from "./ports.ts";

/** The rooms of one hub. They are looked up when used: each is made while others are not there yet. */
export interface Rooms {
  readonly clusters: ClustersReconciler;
  readonly documents: DocumentsReconciler;
  readonly listings: ListingsReconciler;
  readonly releases: ReleasesReconciler;
  readonly rollouts: RolloutReconciler;
  readonly distribution: DistributionReconciler;
  readonly status: StatusReconciler;
  readonly sessions: Sessions;
  readonly guard: GuardKeeper;
  readonly desk: IdentityDesk;
  readonly keyring: Keyring;
  readonly collect: CollectReconciler;
  /** The last things that agents told of, newest last. */
  readonly events: { readonly cluster: ClusterId; readonly event: AgentEvent }[];
}

/** What the rooms are wired with. */
export interface Wiring {
  readonly ports: HubPorts;
  readonly rooms: Rooms;
  isLeading(): boolean;
  rebuilding(): Rebuild | undefined;
  listeningSince(): number;
  /** Every set and standalone Application, and whatever still stands without one. */
  owners(): Set<string>;
  /** What `Cluster` documents say; made anew after `documentsChanged`. */
  documented(): ReturnType<typeof documentedClusters>;
  documentsChanged(): void;
  clusterChanged(id: ClusterId): void;
  /** TLS key of the cluster's newest session. */
  tlsKeyOf(cluster: ClusterId): string | undefined;
  /** Something that people see may have changed. */
  touch(): void;
  hash(text: string): Digest;
  logFault(where: string, fault: Fault): void;
}
