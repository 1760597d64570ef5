import { type ClusterId, type Digest, Fault, parallel, type TargetKey } from "@capstan/proto";
import type { DesiredTarget } from "@capstan/proto/desired";
import type { Cluster } from "../clusters/model.ts";
import type { Application, ApplicationSet, AppProject } from "../documents/model.ts";
import type { FreezeWindowDocument } from "../documents/views.ts";
import type { Condition } from "../generators/model.ts";
import type { ListingQuery } from "../listings/model.ts";
import type { Strategy } from "../rollout/strategy.ts";
import { locationOf } from "../sources/repository.ts";
import type { HashText } from "../targets/content.ts";
import { Destinations } from "../targets/destination.ts";
import type { Target } from "../targets/model.ts";
import { Asked, type Asking, type ReadConfigMap } from "./asked.ts";
import { type Sorted, sortCandidates } from "./candidates.ts";
import { type ContentDefaults, targetContent } from "./content.ts";
import { type Gathered, type GatherWorld, gatherApplication, gatherSet, renderRequest, sourceless } from "./gather.ts";
import type { OwnerState } from "./model.ts";
import type { Generate, ListingView, Renderer, RenderMemory, SourceView } from "./port.ts";
import type { Trees } from "./trees.ts";

/** What is to be looked at, beside what is. */
export interface PreviewRequest {
  /** `namespace/name`. */
  readonly owner: string;
  /** The document as it would be; both absent: as it is. */
  readonly set?: ApplicationSet;
  readonly application?: Application;
  /** Projects that would be there as well. */
  readonly projects?: readonly AppProject[];
  /** Names that would be taken as well, with their owner: by documents that come before this one. */
  readonly taken?: ReadonlyMap<TargetKey, string>;
  /** A cluster as it would be. */
  readonly changed?: Cluster;
  /** Read every repository that has this revision at it. */
  readonly revision?: string;
  /** Only these targets are rendered; absent: all. */
  wanted?(target: TargetKey, cluster: ClusterId): boolean;
}

/** A target as it would be. */
export interface PreviewTarget {
  readonly target: Target;
  /** Identity of its content; undefined: it was not rendered (`Preview.targetFaults` says why). */
  readonly content: Digest | undefined;
  /** How it would be delivered. */
  readonly desired: DesiredTarget | undefined;
  /** The bundle's digest and, where it was rendered now, its bytes. */
  readonly bundle: { readonly digest: Digest; readonly bytes: Uint8Array | undefined } | undefined;
  readonly warnings: readonly string[];
}

/** An owner as it would be. */
export interface Preview {
  readonly owner: string;
  readonly kind: OwnerState["kind"];
  readonly summary: string;
  readonly conditions: readonly Condition[];
  /** Of elements and generators. */
  readonly faults: readonly Fault[];
  readonly targetFaults: ReadonlyMap<TargetKey, Fault>;
  readonly targets: readonly PreviewTarget[];
  /** False: something failed or was listed incompletely, so nothing would be removed. */
  readonly complete: boolean;
  /** What the set's `applicationsSync` lets happen to targets that stand. */
  readonly changes: Gathered["changes"];
  /** Whether some repository had `PreviewRequest.revision` at it; false where none was asked for. */
  readonly revisionFound: boolean;
}

/** What a preview is made from: as for the releases themselves, without what changes something. */
export interface PreviewWorld {
  readonly sources: SourceView;
  readonly listings: ListingView;
  readonly configMap: ReadConfigMap;
  readonly trees: Trees;
  readonly generate: Generate;
  readonly renderer: Renderer;
  readonly memory: RenderMemory;
  /** Who else has the name; undefined: the owner may have it. */
  rival(owner: string, target: TargetKey): string | undefined;
  readonly defaults: ContentDefaults;
  readonly strategy: Strategy;
  strategyNamed(reference: string, namespace: string): Strategy;
  freezes(): readonly FreezeWindowDocument[];
  readonly hash: HashText;
  readonly concurrency: number;
  set(owner: string): ApplicationSet | undefined;
  application(owner: string): Application | undefined;
  projects(): ReadonlyMap<string, AppProject>;
  clusters(): readonly Cluster[];
}

/**
 * Works an owner out as the releases room does, over the repositories as they stand (those not known yet are fetched),
 * and renders what is not remembered; nothing is stored. What a signal cuts off is a fault of each target concerned.
 */
export async function preview(request: PreviewRequest, world: PreviewWorld, signal: AbortSignal): Promise<Preview> {
  const reading = new Reading(world, request.revision, signal);
  try {
    const projects = new Map(world.projects());
    for (const project of request.projects ?? []) projects.set(project.metadata.name, project);
    const { changed } = request;
    const clusters = world.clusters().map((each) => (each.id === changed?.id ? changed : each));
    const gather: GatherWorld = {
      ...world,
      generate: (input) => world.generate({ ...input, preview: true }),
      projects: () => projects,
      clusters: () => clusters,
      asking: reading.asking,
      need: (url, own) => reading.need(url, own),
    };
    const gathered = await candidates(request, gather, world, reading);
    await reading.settle(gathered.candidates.map(({ application }) => application));
    const sorted = sortCandidates(gathered.candidates, {
      destinations: new Destinations(clusters),
      projects,
      rival: (target) => world.rival(request.owner, target) ?? request.taken?.get(target),
    });
    const faults = new Map<TargetKey, Fault>(sorted.refused.map(({ key, fault }) => [key, fault] as const));
    const targets = await parallel(sorted.targets, world.concurrency, (target) =>
      filled(target, { request, world: { ...world, ...gather }, faults, signal }),
    );
    reading.expectFound();
    return {
      owner: request.owner,
      kind: gathered.kind,
      summary: gathered.summary,
      conditions: gathered.result.conditions,
      faults: gathered.result.faults.map(({ fault }) => fault),
      targetFaults: faults,
      targets,
      complete: gathered.result.complete && sorted.refused.length === 0 && gathered.result.heldNames.length === 0,
      changes: gathered.changes,
      revisionFound: reading.found,
    };
  } finally {
    reading.stop();
  }
}

async function candidates(
  request: PreviewRequest,
  gather: GatherWorld,
  world: PreviewWorld,
  reading: Reading,
): Promise<Gathered> {
  const { owner } = request;
  const given = request.set !== undefined || request.application !== undefined;
  const application = given ? request.application : world.application(owner);
  const set = given ? request.set : world.set(owner);
  if (set === undefined && application !== undefined) return gatherApplication(application, world);
  if (set === undefined) {
    throw new Fault("not-found", { message: `no set and no Application is called ${owner}.` });
  }
  for (;;) {
    const gathered = await gatherSet(owner, set, gather);
    if (gathered !== "fetching") return gathered;
    await reading.settle([]);
  }
}

interface Filling {
  readonly request: PreviewRequest;
  readonly world: PreviewWorld & GatherWorld;
  readonly faults: Map<TargetKey, Fault>;
  readonly signal: AbortSignal;
}

async function filled(
  target: Sorted["targets"][number],
  { request, world, faults, signal }: Filling,
): Promise<PreviewTarget> {
  const bare = { target, content: undefined, desired: undefined, bundle: undefined, warnings: [] };
  if (request.wanted?.(target.key, target.cluster) === false) return bare;
  try {
    const asked = renderRequest(target.application, target.destination, world);
    if (asked === undefined) throw sourceless();
    const known = world.memory.get(await world.renderer.key(asked, signal));
    const made = known === undefined ? await (await world.renderer.prepare(asked, signal)).run(signal) : undefined;
    const digest = known?.digest ?? made?.digest;
    if (digest === undefined) return bare;
    const bundle = known ?? { digest, size: made?.bytes.length ?? 0, chunks: 0, keyId: "" };
    const { defaults, hash } = world;
    const content = targetContent(target, "", { bundle, defaults, hash, freezes: world.freezes() });
    return {
      target,
      content: content.digest,
      desired: content.target,
      bundle: { digest, bytes: made?.bytes },
      warnings: made?.warnings ?? [],
    };
  } catch (thrown) {
    const fault = Fault.from(thrown, "render-failed");
    faults.set(target.key, fault.at({ target: target.key, cluster: target.cluster }));
    return bare;
  }
}

/** What a preview reads of repositories: watched while it lasts, fetched where nothing is known yet. */
class Reading {
  readonly #sources: SourceView;
  readonly #listings: ListingView;
  readonly #asked: Asked;
  readonly #queries: ListingQuery[] = [];
  readonly asking: Asking;
  readonly #revision: string | undefined;
  readonly #signal: AbortSignal;
  readonly #watches = new Map<string, () => void>();
  #found = false;
  #missing: Fault | undefined;

  constructor(
    world: Pick<PreviewWorld, "sources" | "listings" | "configMap">,
    revision: string | undefined,
    signal: AbortSignal,
  ) {
    this.#sources = world.sources;
    this.#listings = world.listings;
    this.#asked = new Asked(
      {
        settle: (query, until) => world.listings.settle(query, until),
        watch: (query) => {
          this.#queries.push(query);
          return world.listings.watch(query);
        },
        current: (query) => world.listings.current(query),
      },
      world.configMap,
    );
    this.asking = this.#asked.pass("preview");
    this.#revision = revision;
    this.#signal = signal;
  }

  /** The revision to read: the asked-for one where the repository has it. */
  need(repoURL: string, own: string): string {
    this.#watch(repoURL, own);
    if (this.#revision === undefined) return own;
    this.#watch(repoURL, this.#revision);
    if (this.#sources.current(repoURL, this.#revision) !== undefined) {
      this.#found = true;
      return this.#revision;
    }
    const fault = this.#sources.faultOf(repoURL, this.#revision);
    this.#missing ??= fault;
    return fault === undefined ? this.#revision : own;
  }

  /** Fetches what is needed and was never fetched. */
  async settle(applications: readonly Application[]): Promise<void> {
    for (const { spec } of applications) {
      for (const source of spec.sources ?? (spec.source === undefined ? [] : [spec.source])) {
        try {
          this.need(locationOf(source), source.targetRevision ?? "HEAD");
        } catch {
          // A URL or revision that cannot be read at all is the fault of its target, told there.
        }
      }
    }
    const unknown = [...this.#watches.keys()]
      .map((key) => [key.slice(0, key.indexOf(" ")), key.slice(key.indexOf(" ") + 1)] as const)
      .filter(([url, revision]) => {
        return this.#sources.current(url, revision) === undefined && this.#sources.faultOf(url, revision) === undefined;
      });
    await Promise.all([...new Set(unknown.map(([url]) => url))].map((url) => this.#sources.settle(url, this.#signal)));
    await Promise.all(this.#queries.map((query) => this.#listings.settle(query, this.#signal)));
    this.#signal.throwIfAborted();
  }

  /** Whether some repository had the revision that was asked for. */
  get found(): boolean {
    return this.#found;
  }

  /** Throws where no repository has the revision that was asked for. */
  expectFound(): void {
    if (this.#revision !== undefined && !this.#found && this.#missing !== undefined) throw this.#missing;
  }

  stop(): void {
    for (const stop of this.#watches.values()) stop();
    this.#watches.clear();
    this.#asked.close();
  }

  #watch(repoURL: string, revision: string): void {
    const key = `${repoURL} ${revision}`;
    if (this.#watches.has(key)) return;
    this.#watches.set(key, this.#sources.watch(repoURL, revision));
  }
}
