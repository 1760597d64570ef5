import { Fault } from "@capstan/proto";
import type { ApplicationSource, HelmSource } from "../documents/model.ts";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { joinPath, normalisePath, resolvePath } from "../sources/path.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import { planDependencies } from "./chart-dependencies.ts";
import { type BuildEnvironment, substitute } from "./environment.ts";
import { globMatcher } from "./glob.ts";
import { link } from "./link.ts";
import type { RenderRequest } from "./model.ts";
import { type PlannedFile, repositoryRoot, type SourcePlan } from "./plan.ts";
import type { HelmSetting } from "./port.ts";

/** Where a chart is, and the other sources that its value files may name. */
export interface ChartPlace {
  readonly tree: Tree;
  readonly path: string;
  readonly entries: readonly TreeEntry[];
  readonly environment: BuildEnvironment;
  /** By `ref`, for value files such as `$values/prod.yaml`. */
  readonly refs: ReadonlyMap<string, Tree>;
}

const inlineValues = "values.inline.json";

/**
 * Plans `helm template` of a chart. From the strongest: parameters, inline values, value files (the last wins), the chart.
 * Of `valuesObject` and `values` the former is taken, as Argo CD does.
 */
export async function planHelm(source: ApplicationSource, at: ChartPlace, request: RenderRequest): Promise<SourcePlan> {
  const helm = source.helm ?? {};
  const files = new Map<string, PlannedFile>();
  for (const entry of at.entries) {
    if (entry.kind === "link" || entry.kind === "module") throw link(entry);
    files.set(joinPath(repositoryRoot, entry.path), { tree: at.tree, entry });
  }
  requireChart(at);
  const chart = joinPath(repositoryRoot, at.path);
  const dependencies = await planDependencies({ tree: at.tree, path: at.path, place: chart }, request.dependency);
  for (const [place, file] of dependencies) files.set(place, file);
  const made = new Map<string, string>();
  const inline = helm.valuesObject === undefined ? (helm.values ?? "") : canonicalJson(helm.valuesObject);
  if (inline !== "") made.set(inlineValues, inline);
  const valueFiles = await planValueFiles(helm, at, files);
  const kubeVersion = helm.kubeVersion ?? request.kubeVersion;
  return {
    type: "helm",
    path: at.path,
    tree: at.tree,
    files,
    made,
    warnings: warningsOf(helm),
    chart,
    releaseName: helm.releaseName ?? request.name,
    namespace: helm.namespace ?? request.namespace,
    ...(kubeVersion === undefined ? {} : { kubeVersion }),
    apiVersions: [...new Set(helm.apiVersions ?? request.apiVersions ?? [])].sort(),
    includeCrds: helm.skipCrds !== true,
    skipSchemaValidation: helm.skipSchemaValidation === true,
    valueFiles: inline === "" ? valueFiles : [...valueFiles, inlineValues],
    settings: await planSettings(helm, at, files),
  };
}

async function planValueFiles(
  helm: HelmSource,
  at: ChartPlace,
  files: Map<string, PlannedFile>,
): Promise<readonly string[]> {
  const planned: string[] = [];
  for (const written of helm.valueFiles ?? []) {
    const found = await findFiles(written, at);
    if (found.length === 0 && helm.ignoreMissingValueFiles !== true) throw missing(written, at);
    for (const { place, file } of found) {
      files.set(place, file);
      // A glob may name a file that another line names too: the later place wins, as with Helm itself.
      if (planned.includes(place)) planned.splice(planned.indexOf(place), 1);
      planned.push(place);
    }
  }
  return planned;
}

async function planSettings(
  helm: HelmSource,
  at: ChartPlace,
  files: Map<string, PlannedFile>,
): Promise<readonly HelmSetting[]> {
  const settings: HelmSetting[] = (helm.parameters ?? []).map(({ name, value, forceString }) => ({
    kind: forceString === true ? "text" : "value",
    name,
    value: escapeCommas(substitute(value ?? "", at.environment)),
  }));
  for (const { name, path } of helm.fileParameters ?? []) {
    const [found] = await findFiles(path, at);
    if (found === undefined) throw missing(path, at);
    files.set(found.place, found.file);
    settings.push({ kind: "file", name, value: escapeCommas(found.place) });
  }
  return settings;
}

interface Found {
  readonly place: string;
  readonly file: PlannedFile;
}

/** `$ref/path` in another source, `/path` from the repository's root, else relative to the chart. Globs give many. */
async function findFiles(name: string, at: ChartPlace): Promise<readonly Found[]> {
  const reference = /^\$([^/]+)\/(.*)$/.exec(name);
  const named = reference !== null && at.refs.has(reference[1] ?? "");
  const written = named ? name : substitute(name, at.environment);
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(written)) throw remote(written);
  if (reference !== null && !named && !at.environment.has(reference[1] ?? "")) throw unknownRef(name);
  const tree = (named ? at.refs.get(reference[1] ?? "") : undefined) ?? at.tree;
  const root = named ? `refs/${reference[1]}` : repositoryRoot;
  const inRef = named ? substitute(reference[2] ?? "", at.environment) : undefined;
  const rooted = inRef ?? (written.startsWith("/") ? written.replace(/^\/+/, "") : undefined);
  const path = rooted === undefined ? resolvePath(at.path, written) : normalisePath(rooted);
  const found: Found[] = [];
  for (const entry of await matching(tree, path)) {
    if (entry.kind === "link" || entry.kind === "module") throw link(entry);
    if (entry.kind !== "directory") found.push({ place: joinPath(root, entry.path), file: { tree, entry } });
  }
  return found;
}

async function matching(tree: Tree, path: string): Promise<readonly TreeEntry[]> {
  const exact = await tree.entry(path);
  if (exact !== undefined || !/[*?[{]/.test(path)) return exact === undefined ? [] : [exact];
  const matches = globMatcher(path);
  const depth = path.split("/").length;
  const deep = path.includes("**");
  const before = path.slice(0, path.search(/[*?[{]/));
  const fixed = before.includes("/") ? before.slice(0, before.lastIndexOf("/")) : "";
  const entries = (await tree.below(fixed)) ?? [];
  return entries.filter((entry) => (deep || entry.path.split("/").length === depth) && matches(entry.path));
}

function requireChart(at: ChartPlace): void {
  const file = joinPath(at.path, "Chart.yaml");
  if (at.entries.some((entry) => entry.path === file)) return;
  throw new Fault("path-not-found", {
    message: `expected a Helm chart, found no Chart.yaml at ${at.path === "" ? "the root" : at.path}.`,
    where: { repository: at.tree.repository.url, file },
  });
}

/** As Argo CD does: a comma is part of the value, unless it is escaped already or the value is a `{list}`. */
function escapeCommas(value: string): string {
  return value.startsWith("{") && value.endsWith("}") ? value : value.replace(/(?<!\\),/g, "\\,");
}

function warningsOf(helm: HelmSource): readonly string[] {
  return helm.version === undefined ? [] : [`helm.version ${helm.version} is kept but not acted on.`];
}

function missing(written: string, at: ChartPlace): Fault {
  return new Fault("path-not-found", {
    message: `expected the value file ${JSON.stringify(written)}, found none.`,
    where: { repository: at.tree.repository.url, revision: at.tree.commit, file: at.path },
    next: "Add the file, or set helm.ignoreMissingValueFiles.",
  });
}

function remote(written: string): Fault {
  return new Fault("remote-refused", {
    message: `expected a value file of the repository, found the URL ${JSON.stringify(written.slice(0, 200))}.`,
    next: "Commit the file to the repository; nothing is fetched while rendering.",
  });
}

function unknownRef(written: string): Fault {
  return new Fault("bad-input", {
    message: `expected a source with the ref that ${JSON.stringify(written)} names, found none.`,
    where: { field: "helm.valueFiles" },
    next: "Add a source with this ref to spec.sources.",
  });
}
