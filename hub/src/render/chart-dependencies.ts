import { Fault } from "@capstan/proto";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { isWithin, joinPath, resolvePath } from "../sources/path.ts";
import { locationOf } from "../sources/repository.ts";
import { readYaml } from "../yaml/read.ts";
import { textOf } from "../yaml/text.ts";
import { link } from "./link.ts";
import { isObject } from "./manifest.ts";
import type { RenderRequest } from "./model.ts";
import type { PlannedFile } from "./plan.ts";

/** A chart's directory: in its tree, and where it will lie in the job. */
export interface ChartDirectory {
  readonly tree: Tree;
  readonly path: string;
  readonly place: string;
}

/** What `Chart.yaml` and `Chart.lock` say of one dependency. */
interface Dependency {
  readonly name: string;
  readonly version: string;
  readonly repository: string;
}

const deepest = 8;

/**
 * The files of every dependency that a chart declares and does not carry in `charts/`, by their place in the job; they
 * come from the mirrors, so that nothing is fetched while rendering. `Chart.lock` pins them; without it the newest
 * version of the range is taken. Throws what their repositories throw, and `remote-refused` for what cannot be resolved.
 */
export async function planDependencies(
  chart: ChartDirectory,
  fetched: RenderRequest["dependency"],
  depth = 0,
): Promise<ReadonlyMap<string, PlannedFile>> {
  const files = new Map<string, PlannedFile>();
  const carried = (await chart.tree.below(joinPath(chart.path, "charts"))) ?? [];
  const missing = (await declared(chart)).filter(
    ({ name }) => !isCarried(carried, joinPath(chart.path, "charts"), name),
  );
  for (const [index, dependency] of missing.entries()) {
    if (depth === deepest) throw refused(dependency, chart, "dependencies go deeper than eight charts");
    const from = sourceOf(dependency, chart, fetched);
    const place = joinPath(chart.place, `charts/${dependency.name}-${index}`);
    for (const entry of await entriesOf(from, dependency, chart)) {
      if (entry.kind === "link" || entry.kind === "module") throw link(entry);
      files.set(joinPath(place, entry.path.slice(from.path === "" ? 0 : from.path.length + 1)), {
        tree: from.tree,
        entry,
      });
    }
    for (const [at, file] of await planDependencies({ ...from, place }, fetched, depth + 1)) files.set(at, file);
  }
  return files;
}

function sourceOf(
  dependency: Dependency,
  chart: ChartDirectory,
  fetched: RenderRequest["dependency"],
): { readonly tree: Tree; readonly path: string } {
  const { name, version, repository } = dependency;
  if (repository.startsWith("file://")) {
    return { tree: chart.tree, path: resolvePath(chart.path, repository.slice("file://".length)) };
  }
  if (/^(@|alias:)/.test(repository)) {
    throw refused(
      dependency,
      chart,
      `its repository is the alias ${repository}, which only the author's machine knows`,
    );
  }
  if (!/^(https?|oci):\/\//.test(repository) || fetched === undefined) {
    throw refused(dependency, chart, "it is not in charts/, and names no repository to fetch it from");
  }
  return { tree: fetched(locationOf({ repoURL: repository, chart: name }), version), path: "" };
}

async function entriesOf(
  from: { readonly tree: Tree; readonly path: string },
  dependency: Dependency,
  chart: ChartDirectory,
): Promise<readonly TreeEntry[]> {
  const entries = await from.tree.below(from.path);
  if (entries?.some(({ path }) => path === joinPath(from.path, "Chart.yaml")) === true) return entries;
  throw refused(dependency, chart, `no chart is at ${from.path === "" ? from.tree.repository.url : from.path}`);
}

async function declared(chart: ChartDirectory): Promise<readonly Dependency[]> {
  const written = await dependenciesIn(chart, "Chart.yaml");
  if (written.length === 0) return [];
  const locked = await dependenciesIn(chart, "Chart.lock");
  return written.map((dependency) => {
    const { name, repository } = dependency;
    const pin = locked.find((each) => each.name === name && each.repository === repository);
    return pin === undefined ? dependency : { ...dependency, version: pin.version };
  });
}

async function dependenciesIn({ tree, path }: ChartDirectory, name: string): Promise<readonly Dependency[]> {
  const file = joinPath(path, name);
  if ((await tree.entry(file)) === undefined) return [];
  const value = readYaml(textOf(await tree.read(file), { file }), { file })[0]?.value;
  const list = isObject(value) && Array.isArray(value["dependencies"]) ? value["dependencies"] : [];
  return list.filter(isObject).flatMap(({ name: called, version, repository }) => {
    if (typeof called !== "string") return [];
    const text = (found: unknown) => (typeof found === "string" || typeof found === "number" ? String(found) : "");
    return [{ name: called, version: text(version), repository: text(repository) }];
  });
}

function isCarried(carried: readonly TreeEntry[], folder: string, name: string): boolean {
  return carried.some(
    ({ path }) =>
      path === `${folder}/${name}/Chart.yaml` ||
      (isWithin(folder, path) && path.startsWith(`${folder}/${name}-`) && path.endsWith(".tgz")),
  );
}

function refused({ name }: Dependency, { path, tree }: ChartDirectory, why: string): Fault {
  return new Fault("remote-refused", {
    message: `the chart needs ${JSON.stringify(name)}: ${why}.`,
    where: { repository: tree.repository.url, file: joinPath(path, "Chart.yaml") },
    next: "Name its repository in Chart.yaml, or run `helm dependency build` and commit charts/.",
  });
}
