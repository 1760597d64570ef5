import { normalizeName } from "../template/names.ts";
import { basePath } from "../template/paths.ts";
import { GoMap, stringsOf, type Value } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import type { GitGenerator } from "./git-model.ts";
import type { GitTreeView } from "./model.ts";
import { pathMatcher } from "./path-match.ts";
import { appendValues } from "./values.ts";

/** A git generator where it stands. */
export interface GitCall {
  readonly context: GenerateContext;
  readonly generator: GitGenerator;
  readonly path: string;
}

/** One element for each directory that an include takes and no exclude does. */
export function generateDirectories(call: GitCall, tree: GitTreeView): Params[] {
  const { context, generator, path } = call;
  const items = (generator.directories ?? []).map((item) => ({
    matches: pathMatcher(item.path),
    exclude: item.exclude === true,
  }));
  const sets: Params[] = [];
  for (const directory of directoriesOf(tree)) {
    const fitting = items.filter((item) => item.matches(directory));
    if (fitting.length === 0 || fitting.some((item) => item.exclude)) continue;
    const { values, pathParamPrefix } = generator;
    const place = context.placeOf(path, directory);
    const made = context.recall(place, [values, pathParamPrefix], () => directoryElement(call, directory));
    if (made.length === 0) context.memory?.drop(place);
    sets.push(...made);
  }
  return sets;
}

/** Nothing where it failed, and the fault is told. */
function directoryElement({ context, generator, path }: GitCall, directory: string): Params[] {
  const params = new GoMap();
  addPath(params, { generator, goTemplate: context.goTemplate }, pathNames(directory));
  try {
    appendValues(context, generator.values, params);
    return [params];
  } catch (thrown) {
    context.fail(thrown, { generator: path, step: "generator", element: params });
    return [];
  }
}

/** All directories in the order of a walk; hidden ones are left out with all below them. */
function directoriesOf(tree: GitTreeView): readonly string[] {
  const found = new Set<string>();
  for (const file of tree.paths()) {
    const segments = file.split("/").slice(0, -1);
    const hidden = segments.findIndex((segment) => segment.startsWith("."));
    const shown = hidden < 0 ? segments : segments.slice(0, hidden);
    for (let length = shown.length; length > 0; length -= 1) {
      const directory = shown.slice(0, length).join("/");
      if (found.has(directory)) break;
      found.add(directory);
    }
  }
  return [...found].sort(byWalk);
}

/** A walk enters a directory before its next sibling: slashes come before all else. */
function byWalk(left: string, right: string): number {
  const [a, b] = [left.replaceAll("/", "\0"), right.replaceAll("/", "\0")];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** What a path gives to templates. */
export interface PathNames {
  readonly path: string;
  readonly basename: string;
  readonly filename?: string;
}

/** What a path gives to templates; with a file name for the files generator. */
export function pathNames(path: string, filename?: string): PathNames {
  const basename = basePath(path);
  return filename === undefined ? { path, basename } : { path, basename, filename };
}

/** Adds `path…` to an element, under the prefix where one is set. */
export function addPath(
  params: Params,
  mode: { readonly generator: GitGenerator; readonly goTemplate: boolean },
  names: PathNames,
): void {
  const prefix = mode.generator.pathParamPrefix ?? "";
  const segments = names.path.split("/");
  if (!mode.goTemplate) {
    addFlatPath(params, prefix === "" ? "path" : `${prefix}.path`, names);
    return;
  }
  const entries: [string, Value][] = [
    ["path", names.path],
    ["basename", names.basename],
    ["basenameNormalized", normalizeName(names.basename)],
    ["segments", stringsOf(segments)],
  ];
  if (names.filename !== undefined) {
    entries.push(["filename", names.filename], ["filenameNormalized", normalizeName(names.filename)]);
  }
  const path = new GoMap(new Map(entries));
  if (prefix === "") params.entries.set("path", path);
  else params.entries.set(prefix, new GoMap(new Map([["path", path]])));
}

function addFlatPath(params: Params, name: string, names: PathNames): void {
  params.entries.set(name, names.path);
  params.entries.set(`${name}.basename`, names.basename);
  params.entries.set(`${name}.basenameNormalized`, normalizeName(names.basename));
  if (names.filename !== undefined) {
    params.entries.set(`${name}.filename`, names.filename);
    params.entries.set(`${name}.filenameNormalized`, normalizeName(names.filename));
  }
  for (const [index, segment] of names.path.split("/").entries()) {
    if (segment !== "") params.entries.set(`${name}[${index}]`, segment);
  }
}
