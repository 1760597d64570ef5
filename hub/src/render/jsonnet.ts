import { Fault } from "@capstan/proto";
import type { ApplicationSource, Json, JsonObject } from "../documents/model.ts";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { joinPath, normalisePath, resolvePath } from "../sources/path.ts";
import { type BuildEnvironment, substitute } from "./environment.ts";
import { link } from "./link.ts";
import { isObject } from "./manifest.ts";
import { type JsonnetPlan, type PlannedFile, repositoryRoot } from "./plan.ts";
import type { JsonnetVariable } from "./port.ts";

/** What the Jsonnet files of a source are evaluated with, besides themselves. */
export interface JsonnetPlace {
  readonly tree: Tree;
  readonly environment: BuildEnvironment;
}

const mostFiles = 2_000;

/**
 * Plans the evaluation of Jsonnet files: follows their imports through the repository and the source's `libs` (as seen
 * from the repository's root), so that nothing else is given to the tool. Throws `link-refused`, `too-large`, `bad-input`,
 * and `path-not-found` where an import is nowhere.
 */
export async function planJsonnet(
  source: ApplicationSource,
  evaluated: readonly TreeEntry[],
  at: JsonnetPlace,
): Promise<{ readonly plan: JsonnetPlan; readonly files: ReadonlyMap<string, PlannedFile> }> {
  const written = source.directory?.jsonnet ?? {};
  const libs = textsOf(written["libs"]).map((lib) => normalisePath(substitute(lib, at.environment)));
  const files = new Map<string, PlannedFile>();
  const open = [...evaluated];
  for (let entry = open.pop(); entry !== undefined; entry = open.pop()) {
    const place = joinPath(repositoryRoot, entry.path);
    if (files.has(place)) continue;
    if (entry.kind === "link" || entry.kind === "module") throw link(entry);
    if (files.size === mostFiles) throw tooMany(entry);
    files.set(place, { tree: at.tree, entry });
    if (/\.(jsonnet|libsonnet)$/.test(entry.path)) open.push(...(await importsOf(entry, libs, at.tree)));
  }
  const variables = [
    ...variablesOf(written["extVars"], "external", at.environment),
    ...variablesOf(written["tlas"], "top-level", at.environment),
  ];
  const evaluate = evaluated.map(({ path }) => joinPath(repositoryRoot, path));
  return { plan: { evaluate, libs: libs.map((lib) => joinPath(repositoryRoot, lib)), variables }, files };
}

/** Jsonnet imports literal paths only, so they can be read without evaluating. */
async function importsOf(entry: TreeEntry, libs: readonly string[], tree: Tree): Promise<readonly TreeEntry[]> {
  const text = new TextDecoder().decode(await tree.read(entry.path));
  const directory = entry.path.includes("/") ? entry.path.slice(0, entry.path.lastIndexOf("/")) : "";
  const found: TreeEntry[] = [];
  for (const [, , quoted, verbatim] of withoutComments(text).matchAll(
    /\bimport(?:str|bin)?\s*(?:@(["'])((?:(?!\1).)*)\1|(?:["'])((?:[^"'\\\n])+)["'])/g,
  )) {
    const wanted = quoted ?? verbatim ?? "";
    const place = await firstOf(tree, [directory, ...[...libs].reverse()], wanted);
    if (place === undefined) throw missing(wanted, entry);
    found.push(place);
  }
  return found;
}

/** The importing file's own folder first, then the libraries, the last one first, as Jsonnet searches. */
async function firstOf(tree: Tree, folders: readonly string[], wanted: string): Promise<TreeEntry | undefined> {
  for (const folder of folders) {
    const entry = await tree.entry(resolvePath(folder, wanted));
    if (entry !== undefined && entry.kind !== "directory") return entry;
  }
  return undefined;
}

/** Comments may speak of imports, and strings may look like comments. */
function withoutComments(text: string): string {
  const stringOrComment = /("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|\/\/.*|#.*|\/\*[\s\S]*?\*\//g;
  return text.replace(stringOrComment, (_, kept?: string) => kept ?? " ");
}

function variablesOf(
  written: unknown,
  kind: JsonnetVariable["kind"],
  environment: BuildEnvironment,
): readonly JsonnetVariable[] {
  const list = Array.isArray(written) ? (written as readonly Json[]).filter(isObject) : [];
  return list.flatMap(({ name, value, code }: JsonObject) =>
    typeof name === "string"
      ? [{ kind, name, value: substitute(typeof value === "string" ? value : "", environment), code: code === true }]
      : [],
  );
}

function textsOf(written: unknown): readonly string[] {
  return Array.isArray(written) ? written.filter((text): text is string => typeof text === "string") : [];
}

function missing(wanted: string, { path }: TreeEntry): Fault {
  return new Fault("path-not-found", {
    message: `expected the import ${JSON.stringify(wanted)} beside the file or in directory.jsonnet.libs, found none.`,
    where: { file: path },
    next: "Commit the library to the repository (`jb install` fills vendor/), and name its folder in directory.jsonnet.libs.",
  });
}

function tooMany({ path }: TreeEntry): Fault {
  return new Fault("too-large", {
    message: `expected at most ${mostFiles} files that Jsonnet imports, found more.`,
    where: { file: path },
  });
}
