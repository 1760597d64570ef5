import { type ClusterId, Fault, faultText, Notice } from "@capstan/proto";
import type { AgentEvent, ConnectRequest } from "@capstan/proto/agent";
import { documentedClusters } from "./clusters/documented.ts";
import type { ClustersReconciler } from "./clusters/reconciler.ts";
import type { CollectReconciler } from "./collect/reconciler.ts";
import type { DistributionReconciler } from "./distribution/reconciler.ts";
import type { Sessions, ToAgent } from "./distribution/sessions.ts";
import type { DocumentsReconciler } from "./documents/reconciler.ts";
import type { GuardKeeper } from "./guard/keeper.ts";
import type { IdentityDesk } from "./identity/desk.ts";
import type { Keyring } from "./identity/keyring.ts";
import type { PeerIdentity } from "./identity/port.ts";
import type { Term } from "./leader/model.ts";
import type { ListingsReconciler } from "./listings/reconciler.ts";
import type { ReleasesReconciler } from "./releases/reconciler.ts";
import { splitLane } from "./rollout/facts.ts";
import type { LaneKey } from "./rollout/model.ts";
import type { RolloutReconciler } from "./rollout/reconciler.ts";
import { parseRepository } from "./sources/repository.ts";
import type { StatusReconciler } from "./status/reconciler.ts";
import { type Rebuild, RebuildKeeper } from "./store/rebuild.ts";
import { makeCollect } from "./wiring/collect.ts";
import { makeDistribution } from "./wiring/distribution.ts";
import { makeDocuments } from "./wiring/documents.ts";
import { makeClusters, makeDesk, makeKeyring, makeStatus } from "./wiring/identity.ts";
import { makeListings } from "./wiring/listings.ts";
import type { HubPorts } from "./wiring/ports.ts";
import { makeReleases } from "./wiring/releases.ts";
import { makeGuard, makeRollouts } from "./wiring/rollouts.ts";
import type { Rooms, Wiring } from "./wiring/rooms.ts";
import { makeSessions } from "./wiring/sessions.ts";

/** Wires the rooms. Constructing starts nothing; `lead` runs one term, `follow` what a standby does too. */
export class Hub implements Rooms {
  readonly ports: HubPorts;
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
  readonly events: { readonly cluster: ClusterId; readonly event: AgentEvent }[] = [];
  #term: Term | undefined;
  #listeningSince = 0;
  /** TLS key of each cluster's newest session. */
  readonly #peers = new Map<ClusterId, string>();
  readonly #leadership = new Notice();
  readonly #rebuild: RebuildKeeper;

  constructor(ports: HubPorts) {
    this.ports = ports;
    const { clock, memory, stores } = ports;
    this.#rebuild = new RebuildKeeper({ notes: stores.notes, memory, clock });
    const at = this.#wiring();
    this.desk = makeDesk(at);
    this.keyring = makeKeyring(at);
    this.clusters = makeClusters(at);
    this.status = makeStatus(at);
    this.distribution = makeDistribution(at);
    this.guard = makeGuard(at);
    this.rollouts = makeRollouts(at);
    this.listings = makeListings(at);
    this.releases = makeReleases(at);
    this.documents = makeDocuments(at);
    this.sessions = makeSessions(at);
    this.collect = makeCollect(at);
    this.#wire();
  }

  #wiring(): Wiring {
    return {
      ports: this.ports,
      rooms: this,
      isLeading: () => this.#term !== undefined,
      rebuilding: () => this.#rebuild.current,
      listeningSince: () => this.#listeningSince,
      owners: () => this.#owners(),
      documented: () => this.#documented(),
      documentsChanged: () => {
        this.#documentedMade = undefined;
      },
      clusterChanged: (id) => this.#clusterChanged(id),
      tlsKeyOf: (cluster) => this.#peers.get(cluster),
      touch: () => this.#touch(),
      hash: (text) => this.ports.crypto.sha256(new TextEncoder().encode(text)),
      logFault: (where, fault) => this.#logFault(where, fault),
    };
  }

  /** The term, while this hub leads. */
  get term(): Term | undefined {
    return this.#term;
  }

  /** The rebuild under way, if one is. */
  get rebuilding(): Rebuild | undefined {
    return this.#rebuild.current;
  }

  get listeningSince(): number {
    return this.#listeningSince;
  }

  /** Resolves at the next change of leadership, or when the signal aborts. */
  leadershipChanged(signal: AbortSignal): Promise<void> {
    return this.#leadership.next(signal);
  }

  /** Leads for one term: loads what is stored, then follows everything until the signal aborts. */
  async lead(term: Term, signal: AbortSignal): Promise<void> {
    const { stores, clock } = this.ports;
    this.#listeningSince = clock.now();
    const began = await this.#rebuild.look(signal);
    if (began !== undefined)
      this.ports.log("warn", "the store lost data: a rebuild from what clusters hold began", { ...began });
    this.ports.vault.forget();
    await stores.renders.load(signal);
    await this.documents.load(signal);
    this.#documentedMade = undefined;
    await this.clusters.load(signal);
    await this.desk.load(signal);
    await this.keyring.load(signal);
    await this.status.load(signal);
    await this.distribution.load(term.epoch, signal);
    await this.guard.load(signal);
    await this.rollouts.load(signal);
    if (began !== undefined) await this.rollouts.endStale("the hub's store lost what came after it", signal);
    this.#seen.clear();
    this.#setTerm(term);
    this.releases.everythingChanged(() => this.#owners());
    const loops = [
      this.documents.run(signal),
      this.listings.start(signal),
      this.releases.run(signal),
      this.rollouts.run(signal),
      this.distribution.run(signal),
      this.status.run(signal),
      this.collect.run(signal),
      this.keyring.run(signal),
    ];
    this.ports.log("info", "leading", { epoch: String(term.epoch) });
    await Promise.all(loops);
    this.#setTerm(undefined);
    this.sessions.cutAll(new Fault("not-leader", { message: "this hub no longer leads." }), "");
  }

  /** A person ends the rebuild: what Git asks beyond what clusters hold may go on. */
  async endRebuild(signal: AbortSignal): Promise<readonly LaneKey[]> {
    await this.#rebuild.end(signal);
    for (const [cluster] of this.distribution.all()) this.distribution.review(cluster);
    this.rollouts.wakeAll();
    return this.rollouts.lanes().map(({ lane }) => lane);
  }

  /** Runs a session for the cluster that a certificate names. */
  session(peer: PeerIdentity, requests: AsyncIterable<ConnectRequest>, signal: AbortSignal): AsyncIterable<ToAgent> {
    this.#peers.set(peer.cluster, peer.tlsKey);
    return this.sessions.serve(peer.cluster, requests, signal);
  }

  /** Cuts a cluster off on both channels, and takes its key away. What it runs stays. */
  async revoke(
    cluster: ClusterId,
    who: { readonly by: string; readonly reason: string },
    signal: AbortSignal,
  ): Promise<void> {
    await this.desk.revoke(cluster, who, signal);
    this.sessions.cut(
      cluster,
      new Fault("revoked", { message: `cluster ${cluster} was revoked.`, where: { cluster } }),
    );
    await this.distribution.purge(cluster, signal);
  }

  /** Forgets a cluster; what it runs stays. Returns the targets that it had. */
  async forget(cluster: ClusterId, signal: AbortSignal): Promise<readonly string[]> {
    const held = this.distribution.held(cluster)?.state.targets ?? [];
    await this.revoke(cluster, { by: "capstan", reason: "the cluster was removed" }, signal);
    await this.status.forget(cluster, signal);
    await this.clusters.remove(cluster, signal);
    return held.map(({ namespace, name }) => `${namespace}/${name}`);
  }

  /** The owner of a lane and the lane's own name. */
  splitLane(lane: LaneKey) {
    return splitLane(lane);
  }

  /** Every set and standalone Application, and whatever still stands without one. */
  #owners(): Set<string> {
    const owners = new Set<string>();
    for (const { kind, metadata } of this.documents.registry.all()) {
      if (kind === "ApplicationSet" || kind === "Application") owners.add(`${metadata.namespace}/${metadata.name}`);
    }
    for (const [, { state }] of this.distribution.all()) {
      for (const { set, namespace, name } of state.targets) owners.add(set === "" ? `${namespace}/${name}` : set);
    }
    return owners;
  }

  #sequence = 0;
  readonly #watchers = new Notice();

  /** Says when anything that people see may have changed: one counter for all watches. */
  readonly changes = {
    term: () => String(this.#term?.epoch ?? 0n),
    sequence: () => this.#sequence,
    changed: (signal: AbortSignal) => this.#watchers.next(signal),
  };

  #touch(): void {
    this.#sequence += 1;
    this.#watchers.tell();
  }

  #setTerm(term: Term | undefined): void {
    this.#term = term;
    this.#leadership.tell();
  }

  #documentedMade: ReturnType<typeof documentedClusters> | undefined;

  /** Made anew after documents changed: many ask. */
  #documented() {
    this.#documentedMade ??= documentedClusters(this.documents.registry.all("Cluster"));
    return this.#documentedMade;
  }

  /** What generators and renders saw of each cluster last: enrolments and hellos mostly change nothing of it. */
  readonly #seen = new Map<ClusterId, string>();

  #clusterChanged(id: ClusterId): void {
    this.#touch();
    const seen = JSON.stringify(this.clusters.get(id) ?? null);
    if (this.#seen.get(id) !== seen) this.releases.everythingChanged(() => this.#owners());
    this.#seen.set(id, seen);
    this.distribution.review(id);
    this.rollouts.clusterChanged(id);
  }

  #wire(): void {
    this.status.onChange((cluster, { removed }) => {
      for (const { target, generation } of removed) this.distribution.confirmRemoved(cluster, target, generation);
      this.rollouts.clusterChanged(cluster);
      this.#touch();
    });
    this.distribution.onWritten((clusters) => {
      this.releases.namesFreed();
      this.#touch();
      for (const cluster of clusters) this.rollouts.clusterChanged(cluster);
    });
    this.listings.onChange((key) => this.releases.answerChanged(key));
    this.ports.sources.onChange(({ key }) => {
      this.documents.repositoryChanged((url) => parseRepository(url).key === key);
      this.releases.repositoryChanged(key);
    });
  }

  #logFault(where: string, fault: Fault): void {
    const level = fault.code === "internal" ? "error" : "warn";
    this.ports.log(level, `${where}: ${faultText(fault)}`, { code: fault.code, err: fault.cause ?? undefined });
  }
}
