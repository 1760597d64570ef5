import {
  again,
  type Chance,
  type Clock,
  done,
  Fault,
  KeyedLoop,
  type Outcome,
  parallel,
  type TargetKey,
} from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { Application, ApplicationSet, AppProject } from "../documents/model.ts";
import type { FreezeWindowDocument } from "../documents/views.ts";
import type { RenderRequest } from "../render/model.ts";
import type { Strategy } from "../rollout/strategy.ts";
import type { RepositoryKey } from "../sources/model.ts";
import type { HashText, StoredBundleRef } from "../targets/content.ts";
import { Destinations } from "../targets/destination.ts";
import { laneIdentity, laneSource, nameLanes } from "../targets/lanes.ts";
import { Asked, type Asking, type ReadConfigMap } from "./asked.ts";
import { Bundles } from "./bundles.ts";
import { type Sorted, sortCandidates } from "./candidates.ts";
import { causeOf } from "./cause.ts";
import { type ContentDefaults, targetContent } from "./content.ts";
import { type Gathered, gatherApplication, gatherSet, renderRequest, sourceless } from "./gather.ts";
import { type Filled, groupLanes } from "./group.ts";
import type { OwnerState } from "./model.ts";
import { Names } from "./names.ts";
import type { BundleKeeper, Generate, ListingView, Renderer, RenderMemory, SourceView, StandingView } from "./port.ts";
import { type Preview, type PreviewRequest, preview } from "./preview.ts";
import { brokenState, deletedState, filledLanes } from "./states.ts";
import { stay } from "./stay.ts";
import { Trees } from "./trees.ts";
import { Watches } from "./watches.ts";

/** What working out releases needs. */
export interface ReleasesOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly sources: SourceView;
  readonly listings: ListingView;
  readonly configMap: ReadConfigMap;
  readonly generate: Generate;
  readonly renderer: Renderer;
  readonly memory: RenderMemory;
  readonly bundles: BundleKeeper;
  readonly standing: StandingView;
  readonly defaults: ContentDefaults;
  /** Of a set that names none. */
  readonly strategy: Strategy;
  /** A `RolloutStrategy` by `NAME` or `NAMESPACE/NAME`. Throws where it is not there or cannot be read. */
  strategyNamed(reference: string, namespace: string): Strategy;
  /** The fleet's windows, beside those of projects. */
  freezes(): readonly FreezeWindowDocument[];
  readonly hash: HashText;
  /** Renders under way at once, of all owners. */
  readonly concurrency: number;
  /** The documents as they stand. */
  set(owner: string): ApplicationSet | undefined;
  application(owner: string): Application | undefined;
  /** Whether a set or Application of that name is there, readable or not. */
  isDocumented(owner: string): boolean;
  projects(): ReadonlyMap<string, AppProject>;
  clusters(): readonly Cluster[];
  /** What an app-of-apps renders becomes documents of that application. */
  takeDocuments(
    application: Application,
    manifests: { readonly path: string; readonly text: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Told when an owner was worked out anew. */
  onWorkedOut(state: OwnerState): void;
  /** Told when everything was worked out anew. */
  onSurveyed(): void;
  onFault(owner: string, fault: Fault): void;
}

/** What one pass over an owner has to read. */
interface Pass extends Gathered {
  readonly owner: string;
  readonly repositories: Set<string>;
  readonly asking: Asking;
}

/** The key of the loop that stands for all owners; no owner is called so. */
const everyone = "*";
/** Changes of clusters come in crowds (a fleet that enrols, a file of documents): gathered for so long, in ms. */
const gatherMs = 250;

/**
 * Works out, for each set and standalone Application, which targets it asks for and with what content: generators,
 * projects, renders, lanes. Level-triggered by owner; what fails keeps what stands (promise 3).
 */
export class ReleasesReconciler {
  readonly #options: ReleasesOptions;
  readonly #trees: Trees;
  #owners: () => Iterable<string> = () => [];
  readonly #loop: KeyedLoop;
  readonly #states = new Map<string, OwnerState>();
  readonly #watches: Watches;
  readonly #asked: Asked;
  readonly #names: Names;
  /** Owners that are still to be worked out since everything changed. */
  readonly #survey = { due: false, left: new Set<string>() };
  readonly #bundles: Bundles;

  constructor(options: ReleasesOptions) {
    this.#options = options;
    this.#trees = new Trees(options.sources);
    this.#bundles = new Bundles(options);
    this.#watches = new Watches(options.sources);
    this.#asked = new Asked(options.listings, options.configMap);
    this.#names = new Names({
      holder: (target) => options.standing.ownerOf(target),
      isAsked: (owner) => options.isDocumented(owner),
    });
    this.#loop = new KeyedLoop({
      clock: options.clock,
      chance: options.chance,
      concurrency: 4,
      backoff: { base: 1000, factor: 2, cap: 300_000 },
      handle: (owner, signal) => (owner === everyone ? this.#everyone() : this.#handle(owner, signal)),
      onFault: (owner, fault) => options.onFault(owner, fault),
    });
  }

  state(owner: string): OwnerState | undefined {
    return this.#states.get(owner);
  }

  states(): IterableIterator<OwnerState> {
    return this.#states.values();
  }

  /** Owners waiting or being worked out now. */
  get busy(): number {
    return this.#loop.busy;
  }

  /** What an owner would be with other documents, or at another revision; changes nothing. */
  preview(request: PreviewRequest, signal: AbortSignal): Promise<Preview> {
    const rival = (owner: string, target: TargetKey) => this.#names.rival(owner, target);
    return preview(request, { ...this.#options, trees: this.#trees.own(), rival }, signal);
  }

  /** An owner's document came, changed or went. */
  ownerChanged(owner: string): void {
    this.#loop.add(owner);
  }

  /** A repository moved: whoever reads it is worked out anew. */
  repositoryChanged(repository: RepositoryKey): void {
    for (const owner of this.#watches.readersOf(repository)) this.#loop.add(owner);
  }

  /** A listing (by its key) or a ConfigMap (by `configMapKey`) changed: whoever asked it is worked out anew. */
  answerChanged(key: string): void {
    for (const owner of this.#asked.readersOf(key)) this.#loop.add(owner);
  }

  /** Clusters or projects changed: everything may be concerned. */
  everythingChanged(owners: () => Iterable<string>): void {
    this.#owners = owners;
    this.#survey.due = true;
    this.#loop.addWithin(everyone, gatherMs);
  }

  /** Whether everything is being worked out anew: until that is done, what has to leave is not known whole. */
  get surveying(): boolean {
    return this.#survey.due || this.#survey.left.size > 0;
  }

  async #everyone(): Promise<Outcome> {
    this.#survey.due = false;
    for (const owner of this.#owners()) {
      this.#survey.left.add(owner);
      this.#loop.add(owner);
    }
    if (!this.surveying) this.#options.onSurveyed();
    return done;
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#loop.run(signal);
    this.#watches.close();
    this.#asked.close();
    this.#states.clear();
    this.#names.clear();
    this.#survey.left.clear();
  }

  async #handle(owner: string, signal: AbortSignal): Promise<Outcome> {
    const surveyed = this.#survey.left.has(owner);
    try {
      return await this.#workOut(owner, signal);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      const fault = Fault.from(thrown);
      this.#states.set(owner, brokenState(owner, this.#states.get(owner), fault));
      if (fault.retryable) throw fault;
      this.#options.onFault(owner, fault);
      return done;
    } finally {
      if (surveyed && this.#survey.left.delete(owner) && !this.surveying) this.#options.onSurveyed();
    }
  }

  async #workOut(owner: string, signal: AbortSignal): Promise<Outcome> {
    const pass = await this.#candidates(owner);
    if (pass === "fetching") return again(5000, "waiting for the first fetch of a repository");
    if (pass === undefined) return this.#withdraw(owner);
    const sorted = sortCandidates(pass.candidates, {
      destinations: new Destinations(this.#options.clusters()),
      projects: this.#options.projects(),
      rival: (target) => this.#names.rival(owner, target),
    });
    this.#claim(
      owner,
      sorted.targets.map(({ key }) => key),
      sorted.refused.some(({ fault }) => fault.code === "name-conflict"),
    );
    const faults = new Map<TargetKey, Fault>(sorted.refused.map(({ key, fault }) => [key, fault] as const));
    await this.#takeLocal(sorted, pass, { faults, signal });
    const state = await this.#lanes(pass, sorted, { faults, signal });
    this.#watches.keep(owner, pass.repositories);
    this.#asked.keep(owner, pass.asking.keys);
    this.#states.set(owner, state);
    this.#options.onWorkedOut(state);
    return [...faults.values()].some(({ retryable }) => retryable) ? again(30_000) : done;
  }

  /** From here on the owner has these names; whoever waits for one that it let go looks again. */
  #claim(owner: string, targets: readonly TargetKey[], contests: boolean): void {
    for (const other of this.#names.claim(owner, targets, contests)) this.#loop.addWithin(other, gatherMs);
  }

  /** Something left a cluster: names may have become free. */
  namesFreed(): void {
    for (const owner of this.#names.contesting()) this.#loop.addWithin(owner, 4 * gatherMs);
  }

  /** The owner's document is gone: its lanes become empty, which the rollout and the deletion guard then deal with. */
  #withdraw(owner: string): Outcome {
    const standing = this.#options.standing.of(owner);
    const before = this.#states.get(owner);
    this.#watches.keep(owner, new Set());
    this.#asked.keep(owner, new Set());
    this.#claim(owner, [], false);
    if (standing.length === 0 && before === undefined) return done;
    this.#states.delete(owner);
    const lanes = groupLanes({
      owner,
      filled: [],
      kept: [],
      emptied: [...standing.map(({ lane }) => lane), ...filledLanes(before)],
      strategy: before?.lanes[0]?.strategy ?? this.#options.strategy,
      cause: () => ({ commit: "", author: "", subject: `${owner} was deleted`, repository: "", committedAt: 0 }),
      hash: this.#options.hash,
    });
    this.#options.onWorkedOut(deletedState(owner, before?.kind ?? "ApplicationSet", lanes));
    return done;
  }

  async #candidates(owner: string): Promise<Pass | "fetching" | undefined> {
    const repositories = new Set<string>();
    const set = this.#options.set(owner);
    const application = set === undefined ? this.#options.application(owner) : undefined;
    if (set === undefined && application === undefined) return undefined;
    const asking = this.#asked.pass(owner);
    const gathered =
      set === undefined
        ? gatherApplication(application as Application, this.#options)
        : await gatherSet(owner, set, { ...this.#world(owner, repositories), asking });
    return gathered === "fetching" ? "fetching" : { ...gathered, owner, repositories, asking };
  }

  #world(owner: string, repositories: Set<string>) {
    const need = (repoURL: string, revision: string) => {
      repositories.add(this.#watches.need(owner, repoURL, revision));
      return revision;
    };
    return { ...this.#options, trees: this.#trees.own(), need };
  }

  /** App-of-apps: what the application renders are documents. */
  async #takeLocal(sorted: Sorted, pass: Pass, run: Run): Promise<void> {
    for (const { application } of sorted.local) {
      const key = `${application.metadata.namespace}/${application.metadata.name}` as TargetKey;
      try {
        const request = this.#request(application, undefined, pass);
        if (request === undefined) continue;
        const bundle = await (await this.#options.renderer.prepare(request, run.signal)).run(run.signal);
        const lines = new TextDecoder()
          .decode(bundle.bytes)
          .split("\n")
          .filter((line) => line !== "");
        const file = laneSource(application)?.path ?? "";
        await this.#options.takeDocuments(application, { path: file, text: lines.join("\n---\n") }, run.signal);
      } catch (thrown) {
        run.faults.set(key, Fault.from(thrown, "render-failed").at({ target: key }));
      }
    }
  }

  async #lanes(pass: Pass, sorted: Sorted, run: Run): Promise<OwnerState> {
    const identities = new Map(sorted.targets.map((target) => [target.key, laneIdentity(target.application)] as const));
    const names = nameLanes(identities.values());
    const laneOf = (key: TargetKey) => (pass.kind === "Application" ? "" : names.get(identities.get(key) ?? "")) ?? "";
    const nameOf = (key: TargetKey) => laneOf(key) || (key.split("/")[1] ?? key);
    const made = await parallel(sorted.targets, this.#options.concurrency, (target) =>
      this.#fill(target, { lane: nameOf(target.key), pass, run }),
    );
    const filled = made.filter((each) => each !== undefined).map((each) => this.#unlessFrozen(each, pass));
    // An element that was not accepted may be the one that made what stands.
    const accepted = sorted.refused.length === 0 && pass.result.heldNames.length === 0;
    const complete = pass.result.complete && accepted;
    const { kept, lanes } = stay({
      standing: this.#options.standing.of(pass.owner),
      filled,
      complete,
      faults: run.faults,
      heldNames: pass.result.heldNames,
      mayRemove: pass.changes.remove,
      content: ({ cluster, key }) => this.#options.standing.content(cluster, key),
    });
    return {
      owner: pass.owner,
      kind: pass.kind,
      conditions: pass.result.conditions,
      summary: pass.summary,
      faults: pass.result.faults.map(({ fault }) => fault),
      targetFaults: run.faults,
      targets: new Map(sorted.targets.map((target) => [target.key, target] as const)),
      lanes: groupLanes({
        owner: pass.owner,
        filled,
        kept,
        emptied: [...lanes, ...filledLanes(this.#states.get(pass.owner))],
        strategy: pass.strategy,
        cause: (lane) =>
          causeOf(pass.owner, filled.find((each) => each.lane === lane)?.target.application, this.#options.sources),
        hash: this.#options.hash,
      }),
      complete,
      repositories: pass.repositories,
    };
  }

  /** The target with its content; undefined where it cannot be made, which is told of it alone. */
  async #fill(target: Sorted["targets"][number], { lane, pass, run }: Filling): Promise<Filled | undefined> {
    try {
      const bundle = await this.#bundle(target, pass, run.signal);
      const { defaults, hash, freezes } = this.#options;
      return { target, lane, content: targetContent(target, lane, { bundle, defaults, hash, freezes: freezes() }) };
    } catch (thrown) {
      if (run.signal.aborted) throw thrown;
      const { key, cluster } = target;
      run.faults.set(key, Fault.from(thrown, "render-failed").at({ target: key, cluster }));
      return undefined;
    }
  }

  /** A set that only creates leaves what stands as it is. */
  #unlessFrozen(one: Filled, pass: Pass): Filled {
    if (pass.changes.update) return one;
    const content = this.#options.standing.content(one.target.cluster, one.target.key);
    return content === undefined ? one : { ...one, content };
  }

  async #bundle(target: Sorted["targets"][number], pass: Pass, signal: AbortSignal): Promise<StoredBundleRef> {
    const request = this.#request(target.application, target.destination, pass);
    if (request === undefined) throw sourceless();
    return this.#bundles.of(request, signal);
  }

  #request(application: Application, cluster: Cluster | undefined, pass: Pass): RenderRequest | undefined {
    return renderRequest(application, cluster, this.#world(pass.owner, pass.repositories));
  }
}

interface Filling {
  readonly lane: string;
  readonly pass: Pass;
  readonly run: Run;
}

interface Run {
  readonly faults: Map<TargetKey, Fault>;
  readonly signal: AbortSignal;
}
