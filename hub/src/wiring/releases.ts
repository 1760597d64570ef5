import { Fault, parseTargetKey } from "@capstan/proto";
import { assertShallow } from "../documents/chain.ts";
import type { Application, ApplicationSet, AppProject, Document } from "../documents/model.ts";
import {
  asApplication,
  asApplicationSet,
  asAppProject,
  asFreezeWindow,
  asRolloutStrategy,
  type FreezeWindowDocument,
} from "../documents/views.ts";
import { permitsDocument } from "../projects/documents.ts";
import type { OwnerState } from "../releases/model.ts";
import { ReleasesReconciler } from "../releases/reconciler.ts";
import { adjustments } from "../releases/windows.ts";
import { fleetStrategy, type Strategy, stagedStrategy } from "../rollout/strategy.ts";
import { toldVault } from "./collect.ts";
import { configMapData } from "./listings.ts";
import type { Wiring } from "./rooms.ts";

/** What documents and sources ask for. */
export function makeReleases(at: Wiring): ReleasesReconciler {
  const { clock, chance, sources, generate, renderer, vault, stores, config } = at.ports;
  return new ReleasesReconciler({
    clock,
    chance,
    sources,
    listings: at.rooms.listings,
    configMap: (namespace, name) => configMapData(at, namespace, name),
    generate,
    renderer,
    memory: stores.renders,
    bundles: toldVault(vault, (digest) => at.rooms.collect.asked(digest)),
    standing: at.rooms.distribution.standing,
    defaults: config.defaults,
    strategy: fleetStrategy(config.defaults),
    strategyNamed: (reference, namespace) => strategyNamed(at, reference, namespace),
    freezes: () => freezesOf(at),
    hash: (text) => at.hash(text),
    concurrency: config.render.processes,
    set: (owner) => view(at, owner, "ApplicationSet", asApplicationSet) as ApplicationSet | undefined,
    application: (owner) => view(at, owner, "Application", asApplication) as Application | undefined,
    isDocumented: (owner) =>
      ["ApplicationSet", "Application"].some(
        (kind) => at.rooms.documents.registry.get(`${kind}/${owner}`) !== undefined,
      ),
    projects: () => projects(at),
    clusters: () => at.rooms.clusters.all(),
    takeDocuments: (application, rendered, signal) => takeDocuments(at, application, rendered, signal),
    onWorkedOut: (state) => workedOut(at, state),
    onSurveyed: () => at.rooms.rollouts.wakeAll(),
    onFault: (owner, fault) => at.logFault(`release ${owner}`, fault),
  });
}

/** The strategy that an annotation names; its name tells the version, so that a record says which one it was. */
export function strategyNamed(at: Wiring, reference: string, namespace: string): Strategy {
  if (reference === "careful" || reference === "AllAtOnce") {
    return fleetStrategy({ ...at.ports.config.defaults, strategy: reference });
  }
  const key = reference.includes("/") ? reference : `${namespace}/${reference}`;
  const document = at.rooms.documents.registry.get(`RolloutStrategy/${key}`);
  if (document === undefined) {
    const known = at.rooms.documents.registry.all("RolloutStrategy").map(({ metadata }) => metadata.name);
    throw new Fault("bad-input", {
      message: `expected a RolloutStrategy ${key}, found ${known.length === 0 ? "none at all" : known.join(", ")}.`,
      where: { field: "metadata.annotations[capstan.dev/strategy]" },
      next: "Apply it, or mend the annotation; until then what stands stays.",
    });
  }
  const { metadata, spec } = asRolloutStrategy(document);
  const version = at.hash(JSON.stringify(spec)).slice(7, 14);
  return stagedStrategy(`${metadata.name}@${version}`, spec, fleetStrategy(at.ports.config.defaults));
}

function freezesOf(at: Wiring): FreezeWindowDocument[] {
  return at.rooms.documents.registry.all("FreezeWindow").map(asFreezeWindow);
}

/** App-of-apps: what the application renders are documents, within what its project permits. */
async function takeDocuments(
  at: Wiring,
  application: Application,
  { path, text }: { readonly path: string; readonly text: string },
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name } = application.metadata;
  assertShallow(at.rooms.documents.registry, `${namespace}/${name}`);
  const project = projects(at).get(application.spec.project);
  const rendered = {
    files: [{ path, text, revision: "" }],
    prune: application.spec.syncPolicy?.automated?.prune === true,
    permits: (document: Document) => project === undefined || permitsDocument(project, application, document),
  };
  const [fault] = await at.rooms.documents.takeFrom(`app:${namespace}/${name}`, rendered, signal);
  if (fault !== undefined) throw fault;
}

function view<T>(at: Wiring, owner: string, kind: Document["kind"], read: (document: Document) => T): T | undefined {
  const { namespace, name } = parseTargetKey(owner);
  const document = at.rooms.documents.registry.get(`${kind}/${namespace}/${name}`);
  return document === undefined ? undefined : read(document);
}

function projects(at: Wiring): ReadonlyMap<string, AppProject> {
  return new Map(
    at.rooms.documents.registry
      .all("AppProject")
      .map((document) => [document.metadata.name, asAppProject(document)] as const),
  );
}

function workedOut(at: Wiring, state: OwnerState): void {
  at.rooms.distribution.standing.place(state.owner, placesOf(state));
  for (const lane of state.lanes) at.rooms.rollouts.want(lane.key, lane);
  for (const { cluster, target, change } of adjustments(state.lanes, (c, t) => at.rooms.distribution.target(c, t))) {
    // What is about to be written says its own windows and names.
    if (at.rooms.distribution.waiting(cluster, target) !== undefined) continue;
    at.rooms.distribution.assign(cluster, target, { kind: "adjust", ...change });
  }
  at.touch();
  for (const fault of [...state.faults, ...state.targetFaults.values()]) at.logFault(`release ${state.owner}`, fault);
}

/** Where the targets belong that an owner asks for. */
function placesOf({ kind, lanes }: OwnerState) {
  const ofSet = kind === "ApplicationSet";
  return new Map(
    lanes.flatMap(({ name, release }) => release.targets.map(({ target }) => [target, { lane: name, ofSet }] as const)),
  );
}
