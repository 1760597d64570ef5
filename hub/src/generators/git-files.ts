import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { compareBytes } from "../template/bytes.ts";
import { basePath, dirPath } from "../template/paths.ts";
import { GoMap, mapFromJson } from "../template/value.ts";
import { readYamlParts } from "../yaml/read.ts";
import { badInput, type Params } from "./context.ts";
import { doublestarMatcher } from "./doublestar.ts";
import { flatten } from "./flatten.ts";
import { addPath, type GitCall, pathNames } from "./git-directories.ts";
import type { GitTreeView } from "./model.ts";
import { pathspecMatcher } from "./pathspec.ts";
import { appendValues } from "./values.ts";
import type { PathMatcher } from "./wildcard.ts";

/** One element for each object of each file that an include takes and no exclude does, in order of their paths. */
export function generateFiles(call: GitCall, tree: GitTreeView): Params[] {
  const files = selectFiles(call, tree);
  const sets: Params[] = [];
  for (const file of files) {
    const make = () => {
      const made: Params[] = [];
      for (const object of objectsOf(call, tree, file)) addElement(call, { file, object }, made);
      return made;
    };
    sets.push(...remembered(call, { tree, file }, make));
  }
  return sets;
}

/** What a file gave last time, where it gave all of it and nothing of it has changed. */
function remembered(
  call: GitCall,
  source: { readonly tree: GitTreeView; readonly file: string },
  make: () => Params[],
): readonly Params[] {
  const { context, generator, path } = call;
  const text = source.tree.text(source.file);
  if (text === undefined || context.memory === undefined) return make();
  const { repoURL, revision, values, pathParamPrefix } = generator;
  const faults = context.faults.length;
  let failed = false;
  const whole = () => {
    const made = make();
    failed = context.faults.length > faults;
    return made;
  };
  const place = context.placeOf(path, `${repoURL}\n${revision}\n${source.file}`);
  const made = context.recall(place, [text, values, pathParamPrefix], whole);
  if (failed) context.memory.drop(place);
  return made;
}

function addElement(
  call: GitCall,
  source: { readonly file: string; readonly object: JsonObject },
  sets: Params[],
): void {
  const { context, generator, path } = call;
  const content = mapFromJson(source.object);
  const params = context.goTemplate ? content : new GoMap(flatten(content));
  addPath(
    params,
    { generator, goTemplate: context.goTemplate },
    pathNames(dirPath(source.file), basePath(source.file)),
  );
  try {
    appendValues(context, generator.values, params);
    sets.push(params);
  } catch (thrown) {
    context.fail(at(thrown, call, source.file), { generator: path, step: "generator", element: params });
  }
}

function at(thrown: unknown, call: GitCall, file: string): Fault {
  return Fault.from(thrown, "bad-input").at({
    file,
    repository: call.generator.repoURL,
    revision: call.generator.revision,
  });
}

function selectFiles(call: GitCall, tree: GitTreeView): readonly string[] {
  const { generator, context } = call;
  const items = generator.files ?? [];
  const listing = context.input.newGitFileGlobbing
    ? withDirectories(tree.paths())
    : tree.paths().map((name) => ({ name, isFile: true }));
  const compile = context.input.newGitFileGlobbing ? doublestarMatcher : pathspecMatcher;
  const matching = (pattern: string) => matches(compile(pattern), listing, pattern);
  const chosen = new Set<string>();
  for (const item of items) if (item.exclude !== true) for (const file of matching(item.path)) chosen.add(file);
  for (const item of items) if (item.exclude === true) for (const file of matching(item.path)) chosen.delete(file);
  return [...chosen].sort(compareBytes);
}

interface Entry {
  readonly name: string;
  readonly isFile: boolean;
}

/** Argo CD reads what matches as a file, and fails where it is a directory. */
function matches(matcher: PathMatcher, listing: readonly Entry[], pattern: string): readonly string[] {
  const found = listing.filter((entry) => matcher(entry.name));
  const directory = found.find((entry) => !entry.isFile);
  if (directory !== undefined) {
    throw badInput(
      `the pattern ${JSON.stringify(pattern)} takes the directory ${JSON.stringify(directory.name)}, which cannot be read as a file.`,
      "Let the pattern end in a file name, such as **/config.yaml.",
      "files.path",
    );
  }
  return found.map((entry) => entry.name);
}

/** The files, their directories and Git's own: what a pattern meets in a checkout. */
function withDirectories(paths: readonly string[]): readonly Entry[] {
  const directories = new Set([
    "",
    ".git",
    ".git/HEAD",
    ".git/config",
    ".git/index",
    ".git/description",
    ".git/info",
    ".git/hooks",
    ".git/objects",
    ".git/refs",
  ]);
  for (const path of paths) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1))
      directories.add(path.slice(0, slash));
  }
  return [
    ...[...directories].map((name) => ({ name, isFile: false })),
    ...paths.map((name) => ({ name, isFile: true })),
  ];
}

/** The objects of a file; a file that cannot be read is named, and the others go on. */
function objectsOf(call: GitCall, tree: GitTreeView, file: string): readonly JsonObject[] {
  const { context, generator, path } = call;
  const key = `${tree.commit}\n${generator.repoURL}\n${file}`;
  let known = context.parsed.get(key);
  if (known === undefined) {
    const text = tree.text(file);
    if (text === undefined) {
      context.need({ repoURL: generator.repoURL, revision: generator.revision, path: file });
      return [];
    }
    known = parseOrFault(text, file);
    context.parsed.set(key, known);
  }
  if (!(known instanceof Fault)) return known;
  context.fail(at(known, call, file), { generator: path, step: "generator", element: { file } });
  return [];
}

function parseOrFault(text: string, file: string): readonly JsonObject[] | Fault {
  try {
    return parseObjects(text, file);
  } catch (thrown) {
    return Fault.from(thrown, "bad-input");
  }
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** One object, or a list of objects; an empty file is one empty object. Only the first document counts. */
function parseObjects(text: string, file: string): readonly JsonObject[] {
  const [first] = readYamlParts(text, { file, keys: "argo" });
  if (first instanceof Fault) throw first;
  const value = first?.value ?? null;
  if (value === null) return [{}];
  if (isObject(value)) return [value];
  if (Array.isArray(value)) {
    return value.map((item: Json) => {
      if (item === null) return {};
      if (!isObject(item))
        throw badInput("the file holds a list of something else than maps.", "Write one map, or a list of maps.");
      return item;
    });
  }
  throw badInput("the file holds neither a map nor a list of maps.", "Write one map, or a list of maps.");
}
