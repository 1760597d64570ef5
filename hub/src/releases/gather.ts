import { Fault } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { Application, ApplicationSet, AppProject, JsonObject } from "../documents/model.ts";
import type { ElementFault, GenerateResult, RejectedApplication } from "../generators/model.ts";
import { type AllowedChanges, allowedChanges } from "../generators/policy.ts";
import type { RenderRequest } from "../render/model.ts";
import { parseStrategy, type Strategy } from "../rollout/strategy.ts";
import type { Tree } from "../sources/model.ts";
import { locationOf } from "../sources/repository.ts";
import { local } from "../targets/destination.ts";
import type { Candidate } from "../targets/model.ts";
import type { Asking } from "./asked.ts";
import { sourcesOf } from "./content.ts";
import type { OwnerState } from "./model.ts";
import type { Generate, SourceView } from "./port.ts";
import type { Trees } from "./trees.ts";

/** What candidates are made from. */
export interface GatherWorld {
  readonly generate: Generate;
  readonly sources: SourceView;
  readonly trees: Trees;
  /** Of a set that names none. */
  readonly strategy: Strategy;
  /** A `RolloutStrategy` by `NAME` or `NAMESPACE/NAME`. Throws where it is not there or cannot be read. */
  strategyNamed(reference: string, namespace: string): Strategy;
  clusters(): readonly Cluster[];
  projects(): ReadonlyMap<string, AppProject>;
  /** What servers outside and ConfigMaps say; it notes what is asked. */
  readonly asking: Asking;
  /** Told of every repository and revision that is read; may name another revision to read instead. */
  need(repoURL: string, revision: string): string;
}

/** What an owner's documents make, before projects and renders. */
export interface Gathered {
  readonly kind: OwnerState["kind"];
  readonly candidates: readonly Candidate[];
  readonly result: Pick<GenerateResult, "faults" | "complete" | "conditions" | "heldNames">;
  readonly strategy: Strategy;
  /** What the set's `applicationsSync` lets happen to targets that stand. */
  readonly changes: Pick<AllowedChanges, "update" | "remove">;
  readonly summary: string;
}

/** A standalone Application is its own only candidate. */
export function gatherApplication(
  application: Application,
  world: Pick<GatherWorld, "strategy" | "strategyNamed">,
): Gathered {
  return {
    kind: "Application",
    candidates: [{ application, set: "", madeBy: "" }],
    result: { faults: [], complete: true, conditions: [], heldNames: [] },
    strategy: namedStrategy(application.metadata, world) ?? world.strategy,
    changes: { update: true, remove: true },
    summary: "standalone",
  };
}

/** Names the `RolloutStrategy` of a set or a standalone Application. */
const strategyAnnotation = "capstan.dev/strategy";

function namedStrategy(
  { annotations, namespace }: Application["metadata"],
  world: Pick<GatherWorld, "strategyNamed">,
): Strategy | undefined {
  const reference = annotations[strategyAnnotation];
  return reference === undefined || reference === "" ? undefined : world.strategyNamed(reference, namespace);
}

/** Runs a set's generators over the snapshot of now; `fetching` where a repository was not fetched yet. */
export async function gatherSet(
  owner: string,
  set: ApplicationSet,
  world: GatherWorld,
): Promise<Gathered | "fetching"> {
  for (;;) {
    const result = world.generate({
      set,
      clusters: world.clusters().map(paramsOf),
      projects: new Set(["default", ...world.projects().keys()]),
      git: world.trees.snapshot((repoURL, revision) => world.need(repoURL, revision)),
      listings: { get: (query) => world.asking.listing(query) },
      configMap: (name) => world.asking.configMap(set.metadata.namespace, name),
      compat: set.metadata.annotations["capstan.dev/compat"] === "strict" ? "strict" : "isolate",
      newGitFileGlobbing: set.metadata.annotations["capstan.dev/git-globbing"] === "doublestar",
    });
    if (result.needs.length > 0) {
      const needs = result.needs.map((each) => ({ ...each, revision: world.need(each.repoURL, each.revision) }));
      if (!(await world.trees.load(needs))) return "fetching";
      continue;
    }
    if (result.listingNeeds.length > 0) return "fetching";
    return {
      kind: "ApplicationSet",
      candidates: result.applications
        .filter(({ trace }) => !isNoCluster(trace.element, world))
        .map(({ application, trace }) => ({
          application,
          set: owner,
          madeBy: `${trace.generator} ${JSON.stringify(trace.element, bigints)}`,
        })),
      result: { ...result, faults: [...result.faults, ...result.rejected.map(rejectedFault)] },
      strategy: namedStrategy(set.metadata, world) ?? parseStrategy(set.spec.strategy, world.strategy).strategy,
      changes: allowedChanges(set),
      summary: setSummary(set.spec.generators, result.applications.length),
    };
  }
}

/**
 * Argo CD's clusters generator also names the cluster that Argo CD runs in. The hub runs in none: that element counts only
 * where a cluster of the fleet claims its server (`spec.argocd.server`).
 */
function isNoCluster({ name, server }: JsonObject, world: GatherWorld): boolean {
  if (name !== local.name || server !== local.server) return false;
  return !world.clusters().some(({ argocd }) => argocd.server === local.server || argocd.name === local.name);
}

/** What is to be rendered for an application on a cluster; undefined: it names no source. Throws a source's fault. */
export function renderRequest(
  application: Application,
  cluster: Cluster | undefined,
  world: Pick<GatherWorld, "sources" | "need">,
): RenderRequest | undefined {
  const sources = sourcesOf(application).map((source) => {
    return { source, tree: treeAt(locationOf(source), source.targetRevision ?? "HEAD", world) };
  });
  if (sources.length === 0) return undefined;
  return {
    sources,
    dependency: (location, version) => treeAt(location, version, world),
    name: application.metadata.name,
    namespace: application.spec.destination.namespace ?? "",
    ...(cluster?.facts === undefined
      ? {}
      : { kubeVersion: cluster.facts.kubernetesVersion, apiVersions: cluster.facts.apiVersions }),
  };
}

/** The files of now. Throws the source's fault, also while it was not fetched yet. */
function treeAt(location: string, wanted: string, world: Pick<GatherWorld, "sources" | "need">): Tree {
  const revision = world.need(location, wanted);
  const state = world.sources.current(location, revision);
  if (state === undefined) throw world.sources.faultOf(location, revision) ?? unfetched(location, revision);
  return world.sources.tree(location, state.commit);
}

/** An application without any source. */
export function sourceless(): Fault {
  return new Fault("bad-input", {
    message: "expected a source, found none.",
    where: { field: "spec.source" },
    next: "Give the application a source with repoURL and path or chart.",
  });
}

function rejectedFault({ fault, trace }: RejectedApplication): ElementFault {
  return { fault, generator: trace.generator, element: trace.element, step: "validation" };
}

function unfetched(repository: string, revision: string): Fault {
  return new Fault("repository-unreachable", {
    message: `${repository} was not fetched yet.`,
    where: { repository, revision },
    next: "Nothing: it is tried now.",
  });
}

function paramsOf(cluster: Cluster) {
  const { name, server, project } = cluster.argocd;
  const { labels, annotations } = cluster;
  return { name, server, labels, annotations, ...(project === undefined ? {} : { project }) };
}

/** `clusters (24 matched)`, `matrix: git directories × clusters`. */
function setSummary(generators: readonly JsonObject[], made: number): string {
  const words = generators.map(words1);
  const counted = generators.length === 1 && !/[:]/.test(words[0] ?? "");
  return counted ? `${words[0]} (${made} matched)` : words.join(", ");
}

function words1(entry: JsonObject): string {
  const kind = Object.keys(entry).find((key) => key !== "selector") ?? "nothing";
  const body = (entry[kind] ?? {}) as JsonObject;
  const inner = Array.isArray(body["generators"]) ? (body["generators"] as readonly JsonObject[]) : [];
  if (kind === "matrix") return `matrix: ${inner.map(words1).join(" × ")}`;
  if (kind === "merge") return `merge: ${inner.map(words1).join(" + ")}`;
  if (kind === "git") return `git ${body["directories"] === undefined ? "files" : "directories"}`;
  return kind;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
