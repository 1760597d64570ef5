import { type Chance, type Clock, type ClusterId, Fault, faultText, Notice, parseTargetKey } from "@capstan/proto";
import type { AgentEvent, ConnectRequest, Hello, Facts as WireFacts } from "@capstan/proto/agent";
import { documentedClusters } from "./clusters/documented.ts";
import type { ClusterFacts } from "./clusters/model.ts";
import type { ClusterRecordStore } from "./clusters/port.ts";
import { ClustersReconciler } from "./clusters/reconciler.ts";
import type { HubConfig } from "./config/compile.ts";
import type { BundleVault, DesiredCrypto, DesiredStore } from "./distribution/port.ts";
import { DistributionReconciler } from "./distribution/reconciler.ts";
import { Sessions, type ToAgent } from "./distribution/sessions.ts";
import { assertShallow } from "./documents/chain.ts";
import type { Application, ApplicationSet, AppProject, Document } from "./documents/model.ts";
import type { DocumentStore, RootReader } from "./documents/port.ts";
import { DocumentsReconciler } from "./documents/reconciler.ts";
import { asApplication, asApplicationSet, asAppProject } from "./documents/views.ts";
import { GuardKeeper } from "./guard/keeper.ts";
import { defaultLimits, type SetGuard } from "./guard/model.ts";
import type { GuardStore } from "./guard/port.ts";
import { type DeskOptions, IdentityDesk } from "./identity/desk.ts";
import type { IdentityStore, PeerIdentity } from "./identity/port.ts";
import type { Term } from "./leader/model.ts";
import { permitsDocument } from "./projects/documents.ts";
import type { OwnerState } from "./releases/model.ts";
import type { Generate, Renderer, RenderMemory } from "./releases/port.ts";
import { ReleasesReconciler } from "./releases/reconciler.ts";
import { adjustments } from "./releases/windows.ts";
import { splitLane } from "./rollout/facts.ts";
import { type LaneKey, type RunState, type Transition } from "./rollout/model.ts";
import type { RolloutStore } from "./rollout/port.ts";
import { RolloutReconciler } from "./rollout/reconciler.ts";
import { fleetStrategy } from "./rollout/strategy.ts";
import type { Sources } from "./sources/port.ts";
import { parseRepository } from "./sources/repository.ts";
import type { StatusStore } from "./status/port.ts";
import { StatusReconciler } from "./status/reconciler.ts";
import { staleness } from "./status/stale.ts";
import type { FleetNotes, Hints, Memory } from "./store/port.ts";
import { type Rebuild, RebuildKeeper } from "./store/rebuild.ts";
import { wireMode } from "./targets/policy.ts";

/** Everything that the hub needs of the world; `main` makes them, tests fake them. */
export interface HubPorts {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly version: string;
  readonly fleet: string;
  readonly config: HubConfig;
  readonly sources: Sources;
  readonly roots: RootReader;
  readonly generate: Generate;
  readonly renderer: Renderer;
  readonly crypto: DesiredCrypto;
  readonly vault: BundleVault;
  readonly hints: Hints;
  readonly memory: Memory;
  /** Identities; made before the hub, for NATS' own accounts come from there. */
  readonly desk: DeskPorts;
  readonly stores: {
    readonly identity: IdentityStore;
    readonly desired: DesiredStore;
    readonly status: StatusStore;
    readonly clusters: ClusterRecordStore;
    readonly documents: DocumentStore;
    readonly renders: RenderMemory;
    readonly rollouts: RolloutStore;
    readonly guard: GuardStore;
    readonly notes: FleetNotes;
  };
  log(level: "info" | "warn" | "error", message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** What the identity desk is made of, besides what the hub gives it. */
export type DeskPorts = Pick<DeskOptions, "authority" | "signer" | "users" | "crypto" | "endpoints">;

/** Wires the rooms. Constructing starts nothing; `lead` runs one term, `follow` what a standby does too. */
export class Hub {
  readonly ports: HubPorts;
  readonly clusters: ClustersReconciler;
  readonly documents: DocumentsReconciler;
  readonly releases: ReleasesReconciler;
  readonly rollouts: RolloutReconciler;
  readonly distribution: DistributionReconciler;
  readonly status: StatusReconciler;
  readonly sessions: Sessions;
  readonly guard: GuardKeeper;
  readonly desk: IdentityDesk;
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
    this.desk = this.#makeDesk();
    this.clusters = this.#makeClusters();
    this.status = this.#makeStatus();
    this.distribution = this.#makeDistribution();
    this.guard = this.#makeGuard();
    this.rollouts = this.#makeRollouts();
    this.releases = this.#makeReleases();
    this.documents = this.#makeDocuments();
    this.sessions = this.#makeSessions();
    this.#wire();
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
      this.releases.run(signal),
      this.rollouts.run(signal),
      this.distribution.run(signal),
      this.status.run(signal),
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

  #makeDesk(): IdentityDesk {
    const { clock, config, stores, desk } = this.ports;
    return new IdentityDesk({
      ...desk,
      clock,
      times: config.identity,
      store: stores.identity,
      enrolment: (cluster) => this.clusters.record(cluster)?.enrolment,
      saveEnrolment: async (enrolment, signal) => {
        await this.clusters.enrolled(enrolment, signal);
      },
    });
  }

  #makeClusters(): ClustersReconciler {
    return new ClustersReconciler({
      store: this.ports.stores.clusters,
      clock: this.ports.clock,
      documented: (id) => this.#documented().get(id),
      documentedIds: () => this.#documented().keys(),
      onChange: (id) => this.#clusterChanged(id),
    });
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

  #makeStatus(): StatusReconciler {
    const { clock, stores } = this.ports;
    return new StatusReconciler({
      store: stores.status,
      clock,
      gatherMs: 50,
      onFault: (fault) => this.#logFault("status", fault),
    });
  }

  #makeDistribution(): DistributionReconciler {
    const { fleet, clock, stores, vault, crypto, hints } = this.ports;
    return new DistributionReconciler({
      fleet,
      clock,
      store: stores.desired,
      vault,
      crypto,
      hints: {
        hint: (cluster, revision) => {
          hints.publish(cluster, revision);
          this.sessions.hint(cluster, revision);
        },
      },
      recipient: (cluster) => {
        // What clusters hold is current as it is, until a person ends the rebuild.
        if (this.#rebuild.current !== undefined) return undefined;
        const record = this.clusters.record(cluster);
        const named = this.clusters.get(cluster);
        if (named === undefined || record?.enrolment === undefined || record.claimed !== undefined) return undefined;
        if (record.incarnation === undefined || this.desk.isRevoked(cluster)) return undefined;
        const { sealingKey } = record.enrolment.keys;
        return {
          cluster,
          incarnation: record.incarnation,
          labels: named.labels,
          mode: wireMode(named.mode),
          sealingKey,
        };
      },
      onFault: (fault) => this.#logFault("distribution", fault),
    });
  }

  #makeGuard(): GuardKeeper {
    return new GuardKeeper({
      clock: this.ports.clock,
      store: this.ports.stores.guard,
      limits: defaultLimits,
      hash: (text) => this.#hash(text),
      onApproved: () => this.rollouts.wakeAll(),
      holdings: () =>
        this.distribution.standing
          .all()
          .map(({ key, cluster, owner, ofSet }) => ({ target: key, cluster, set: ofSet ? owner : null })),
      sets: () => this.#setGuards(),
      setOf: (lane) => {
        const { owner } = splitLane(lane as LaneKey);
        const isSet = this.documents.registry.get(`ApplicationSet/${owner}`) !== undefined;
        return isSet || this.distribution.standing.of(owner).some(({ ofSet }) => ofSet) ? owner : null;
      },
    });
  }

  #setGuards(): ReadonlyMap<string, SetGuard> {
    const guards = new Map<string, SetGuard>();
    for (const { metadata } of this.documents.registry.all("ApplicationSet")) {
      if (metadata.annotations["capstan.dev/ephemeral"] !== "true") continue;
      guards.set(`${metadata.namespace}/${metadata.name}`, { ephemeral: true });
    }
    return guards;
  }

  #makeRollouts(): RolloutReconciler {
    const { clock, chance, stores, crypto } = this.ports;
    return new RolloutReconciler({
      clock,
      chance,
      store: stores.rollouts,
      packer: crypto,
      assignments: {
        ofLane: (lane) => {
          const { owner, name } = splitLane(lane);
          const standing = this.distribution.standing.ofLane(owner, name);
          return standing.map(({ key, cluster, content }) => ({ target: key, cluster, content }));
        },
        held: (cluster, target) => {
          const held = this.distribution.held(cluster)?.targets.get(target);
          return held === undefined ? undefined : { generation: Number(held.generation), content: held.content };
        },
        revision: (cluster) => Number(this.distribution.held(cluster)?.state.revision ?? 0n),
        content: (cluster, target) => this.distribution.standing.content(cluster, target),
        laneOf: (target) => this.distribution.standing.laneOf(target) as LaneKey | undefined,
        assign: (cluster, target, change) => this.distribution.assign(cluster, target, change),
      },
      clusters: this.#clusterView(),
      guard: this.guard,
      hash: (text) => this.#hash(text),
      isHeld: () => this.#rebuild.current !== undefined,
      isSurveying: () => this.releases.surveying,
      onTransitions: (run, transitions) => this.#logTransitions(run, transitions),
      onFault: (lane, fault) => this.#logFault(`rollout ${lane}`, fault),
    });
  }

  #clusterView() {
    const since = () => this.#listeningSince;
    return {
      all: () =>
        this.clusters.all().map(({ id, labels, cordoned }) => ({
          id,
          connected: this.sessions.isConnected(id) && !cordoned,
          canary: labels["capstan.dev/canary"] === "true",
        })),
      status: (cluster: ClusterId) => {
        const named = this.clusters.get(cluster);
        if (named === undefined) return undefined;
        const { cordoned } = named;
        return { connected: this.sessions.isConnected(cluster), cordoned, status: this.status.of(cluster) };
      },
      get listeningSince() {
        return since();
      },
    };
  }

  #makeReleases(): ReleasesReconciler {
    const { clock, chance, sources, generate, renderer, vault, stores, config } = this.ports;
    return new ReleasesReconciler({
      clock,
      chance,
      sources,
      generate,
      renderer,
      memory: stores.renders,
      bundles: vault,
      standing: this.distribution.standing,
      defaults: config.defaults,
      strategy: fleetStrategy(config.defaults),
      hash: (text) => this.#hash(text),
      concurrency: config.render.processes,
      set: (owner) => this.#view(owner, "ApplicationSet", asApplicationSet) as ApplicationSet | undefined,
      application: (owner) => this.#view(owner, "Application", asApplication) as Application | undefined,
      isDocumented: (owner) =>
        ["ApplicationSet", "Application"].some((kind) => this.documents.registry.get(`${kind}/${owner}`) !== undefined),
      projects: () => this.#projects(),
      clusters: () => this.clusters.all(),
      takeDocuments: (application, rendered, signal) => this.#takeDocuments(application, rendered, signal),
      onWorkedOut: (state) => this.#workedOut(state),
      onSurveyed: () => this.rollouts.wakeAll(),
      onFault: (owner, fault) => this.#logFault(`release ${owner}`, fault),
    });
  }

  /** App-of-apps: what the application renders are documents, within what its project permits. */
  async #takeDocuments(
    application: Application,
    { path, text }: { readonly path: string; readonly text: string },
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name } = application.metadata;
    assertShallow(this.documents.registry, `${namespace}/${name}`);
    const project = this.#projects().get(application.spec.project);
    const rendered = {
      files: [{ path, text, revision: "" }],
      prune: application.spec.syncPolicy?.automated?.prune === true,
      permits: (document: Document) => project === undefined || permitsDocument(project, application, document),
    };
    const [fault] = await this.documents.takeFrom(`app:${namespace}/${name}`, rendered, signal);
    if (fault !== undefined) throw fault;
  }

  #view<T>(owner: string, kind: Document["kind"], view: (document: Document) => T): T | undefined {
    const { namespace, name } = parseTargetKey(owner);
    const document = this.documents.registry.get(`${kind}/${namespace}/${name}`);
    return document === undefined ? undefined : view(document);
  }

  #projects(): ReadonlyMap<string, AppProject> {
    return new Map(
      this.documents.registry
        .all("AppProject")
        .map((document) => [document.metadata.name, asAppProject(document)] as const),
    );
  }

  #workedOut(state: OwnerState): void {
    this.distribution.standing.place(state.owner, placesOf(state));
    for (const lane of state.lanes) this.rollouts.want(lane.key, lane);
    for (const { cluster, target, change } of adjustments(state.lanes, (c, t) => this.distribution.target(c, t))) {
      // What is about to be written says its own windows and names.
      if (this.distribution.waiting(cluster, target) !== undefined) continue;
      this.distribution.assign(cluster, target, { kind: "adjust", ...change });
    }
    this.#touch();
    for (const fault of [...state.faults, ...state.targetFaults.values()])
      this.#logFault(`release ${state.owner}`, fault);
  }

  #makeDocuments(): DocumentsReconciler {
    const { clock, chance, stores, config, roots } = this.ports;
    return new DocumentsReconciler({
      clock,
      chance,
      store: stores.documents,
      roots: config.roots,
      reader: roots,
      listener: {
        changed: (_keys, documents) => {
          this.#documentedMade = undefined;
          const kinds = new Set(documents.map(({ kind }) => kind));
          if (kinds.has("Cluster") || kinds.has("AppProject")) this.releases.everythingChanged(() => this.#owners());
          for (const { kind, metadata } of documents) {
            if (kind === "Cluster") this.#clusterChanged(metadata.name as ClusterId);
            if (kind === "ApplicationSet" || kind === "Application") {
              this.releases.ownerChanged(`${metadata.namespace}/${metadata.name}`);
            }
          }
        },
      },
      onFault: (root, fault) => this.#logFault(`root ${root}`, fault),
    });
  }

  #makeSessions(): Sessions {
    const { clock, version } = this.ports;
    return new Sessions({
      clock,
      version,
      leadership: () => ({ leading: this.#term !== undefined, endpoint: "" }),
      greet: (cluster, hello, signal) => this.#greet(cluster, hello, signal),
      report: (cluster, bootId, batch) => this.status.fold(cluster, bootId, batch),
      heartbeat: (cluster, revision) => this.status.heard(cluster, revision),
      event: (cluster, event) => {
        this.events.push({ cluster, event });
        if (this.events.length > 1000) this.events.shift();
      },
      onConnection: (cluster, connected) => {
        if (connected) this.status.heard(cluster, this.status.of(cluster).heldRevision);
        else this.status.touch(cluster);
        this.ports.log("info", connected ? "cluster connected" : "cluster disconnected", { cluster });
        this.rollouts.clusterChanged(cluster);
        this.#touch();
      },
      heartbeatMs: () => staleness(this.sessions.size).heartbeatMs,
      acked: (cluster, bootId) => {
        const status = this.status.of(cluster);
        return status.bootId === bootId ? status.sequence : 0n;
      },
      onFault: (cluster, fault) => this.#logFault(`session ${cluster}`, fault),
    });
  }

  async #greet(cluster: ClusterId, hello: Hello, signal: AbortSignal): Promise<bigint> {
    if (this.desk.isRevoked(cluster)) {
      throw new Fault("revoked", { message: `cluster ${cluster} is revoked.`, where: { cluster } });
    }
    await this.#remember(cluster, hello, signal);
    const greeting = await this.clusters.greet(
      cluster,
      { incarnation: hello.incarnation, facts: factsOf(hello.facts), version: hello.versions?.program ?? "" },
      signal,
    );
    if (greeting.kind === "unknown") throw greeting.fault;
    const revision = await this.distribution.hail(cluster, { highWater: hello.highWater, held: hello.held }, signal);
    return revision;
  }

  /** A cluster whose enrolment was lost with the store is known again by its certificate and what it says over it. */
  async #remember(
    cluster: ClusterId,
    { incarnation, sealingPublicKey, held }: Hello,
    signal: AbortSignal,
  ): Promise<void> {
    const record = this.clusters.record(cluster);
    if (record?.enrolment !== undefined || sealingPublicKey.length !== 32) return;
    await this.clusters.remember(cluster, this.distribution.labelsIn(held), signal);
    const sealingKey = [...sealingPublicKey].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    const keys = { tlsKey: this.#peers.get(cluster) ?? "", natsKey: "", sealingKey };
    const now = this.ports.clock.now();
    await this.clusters.enrolled(
      {
        cluster,
        keys,
        next: undefined,
        incarnation,
        enrolledAt: now,
        notAfter: now + this.ports.config.identity.certificate,
      },
      signal,
    );
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
    this.ports.sources.onChange(({ key }) => {
      this.documents.repositoryChanged((url) => parseRepository(url).key === key);
      this.releases.repositoryChanged(key);
    });
  }

  #hash(text: string) {
    return this.ports.crypto.sha256(new TextEncoder().encode(text));
  }

  #logFault(where: string, fault: Fault): void {
    const level = fault.code === "internal" ? "error" : "warn";
    this.ports.log(level, `${where}: ${faultText(fault)}`, { code: fault.code, err: fault.cause ?? undefined });
  }

  #logTransitions({ plan }: RunState, transitions: readonly Transition[]): void {
    this.#touch();
    for (const { change, reason } of transitions) {
      if (change.of !== "run") continue;
      this.ports.log("info", `rollout ${plan.run}: ${change.to.phase}`, { lane: plan.lane, reason });
    }
  }
}

/** Where the targets belong that an owner asks for. */
function placesOf({ kind, lanes }: OwnerState) {
  const ofSet = kind === "ApplicationSet";
  return new Map(
    lanes.flatMap(({ name, release }) => release.targets.map(({ target }) => [target, { lane: name, ofSet }] as const)),
  );
}

function factsOf(facts: WireFacts | undefined): ClusterFacts | undefined {
  if (facts === undefined) return undefined;
  const { kubernetesVersion, apiVersions, nodes, platform, writableNamespaces, otherManagers } = facts;
  return { kubernetesVersion, apiVersions, nodes, platform, writableNamespaces, otherManagers };
}
