import { Fault } from "@capstan/proto";
import type { ApplicationSource, Json, JsonObject } from "../documents/model.ts";
import type { Tree, TreeEntry } from "../sources/model.ts";
import { isWithin, joinPath, resolvePath } from "../sources/path.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import { readYaml } from "../yaml/read.ts";
import { textOf } from "../yaml/text.ts";
import { kustomizationNames } from "./detect.ts";
import { type BuildEnvironment, substitute } from "./environment.ts";
import { looksRemote, referencesOf, remoteBase } from "./kustomization.ts";
import { editKustomization } from "./kustomize-edit.ts";
import { link } from "./link.ts";
import { isObject } from "./manifest.ts";
import { type PlannedFile, repositoryRoot, type SourcePlan } from "./plan.ts";

const mostDirectories = 500;

/**
 * Plans `kustomize build`: follows the overlay to every file it reads, so that nothing else is given to the tool and the
 * key holds exactly what matters. Remote bases, functions, links and paths that escape are refused here, by name.
 */
export async function planKustomize(
  source: ApplicationSource,
  at: { readonly tree: Tree; readonly path: string; readonly environment: BuildEnvironment },
) {
  const walk = new Walk(at.tree);
  await walk.directory(at.path, at.path, expanded(source.kustomize ?? {}, at.environment));
  const plan: SourcePlan = {
    type: "kustomize",
    path: at.path,
    tree: at.tree,
    files: walk.files,
    made: walk.made,
    warnings: warningsOf(source.kustomize),
    directory: joinPath(repositoryRoot, at.path),
  };
  return plan;
}

class Walk {
  readonly files = new Map<string, PlannedFile>();
  readonly made = new Map<string, string>();
  readonly #seen = new Set<string>();
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  /** Follows the kustomization of a directory; `from` names the file that asked for it. */
  async directory(path: string, from: string, edits: JsonObject = {}): Promise<void> {
    if (this.#seen.has(path)) return;
    this.#seen.add(path);
    if (this.#seen.size > mostDirectories) throw tooDeep(from);
    const file = await this.#kustomizationIn(path, from);
    const written = await this.#readYaml(file.path);
    const edited = editKustomization(written, await this.#present(path, edits, file.path), file.path);
    if (edited === written) this.#add(file);
    else this.made.set(joinPath(repositoryRoot, file.path), canonicalJson(edited));
    const references = referencesOf(edited, file.path);
    for (const reference of references.resources) {
      await this.#resource(path, reference, file.path);
    }
    for (const text of references.inlinePlugins) refuseFunctions(text, file.path);
    for (const reference of references.plugins) await this.#plugin(path, reference, file.path);
    for (const reference of references.files) await this.#file(path, reference, file.path);
    if (references.unknown) await this.#everything(path);
  }

  async #resource(directory: string, reference: string, file: string): Promise<void> {
    const entry = await this.#find(directory, reference, file);
    if (entry === undefined) throw missing(reference, file);
    if (entry.kind === "directory") await this.directory(entry.path, file);
    else this.#confined(directory, entry, file);
  }

  /** The edits without the components that are not there, where the Application says to ignore these. */
  async #present(path: string, edits: JsonObject, file: string): Promise<JsonObject> {
    const { components } = edits;
    if (edits["ignoreMissingComponents"] !== true || !Array.isArray(components)) return edits;
    const present: Json[] = [];
    for (const component of components as readonly Json[]) {
      const there = typeof component !== "string" || (await this.#find(path, component, file)) !== undefined;
      if (there) present.push(component);
    }
    return { ...edits, components: present };
  }

  async #plugin(directory: string, reference: string, file: string): Promise<void> {
    const entry = await this.#find(directory, reference, file);
    if (entry === undefined) throw missing(reference, file);
    if (entry.kind === "directory") return await this.directory(entry.path, file);
    this.#confined(directory, entry, file);
    refuseFunctions(await this.#text(entry.path), entry.path);
  }

  async #file(directory: string, reference: string, file: string): Promise<void> {
    const entry = await this.#find(directory, reference, file);
    if (entry === undefined || entry.kind === "directory") throw missing(reference, file);
    this.#confined(directory, entry, file);
  }

  /** What the reference leads to in the repository; undefined where nothing is there. */
  async #find(directory: string, reference: string, file: string): Promise<TreeEntry | undefined> {
    if (looksRemote(reference)) throw remoteBase(reference, file);
    try {
      return await this.#tree.entry(resolvePath(directory, reference));
    } catch (thrown) {
      throw Fault.from(thrown).at({ file });
    }
  }

  /** Kustomize's own rule: files lie in or below the directory that names them; directories may be elsewhere. */
  #confined(directory: string, entry: TreeEntry, file: string): void {
    if (!isWithin(directory, entry.path)) throw outside(entry.path, file);
    this.#add(entry);
  }

  #add(entry: TreeEntry): void {
    if (entry.kind === "link" || entry.kind === "module") throw link(entry);
    this.files.set(joinPath(repositoryRoot, entry.path), { tree: this.#tree, entry });
  }

  async #everything(path: string): Promise<void> {
    for (const entry of (await this.#tree.below(path)) ?? []) {
      const place = joinPath(repositoryRoot, entry.path);
      if (entry.kind !== "link" && entry.kind !== "module" && !this.made.has(place)) this.#add(entry);
    }
  }

  async #kustomizationIn(path: string, from: string): Promise<TreeEntry> {
    const found: TreeEntry[] = [];
    for (const name of kustomizationNames) {
      const entry = await this.#tree.entry(joinPath(path, name));
      if (entry !== undefined) found.push(entry);
    }
    const [entry, second] = found;
    if (entry === undefined || second !== undefined) throw notOne(path, from, found.length);
    if (entry.kind === "link" || entry.kind === "module") throw link(entry);
    return entry;
  }

  async #readYaml(file: string): Promise<JsonObject> {
    const documents = readYaml(await this.#text(file), { file });
    const value = documents[0]?.value ?? {};
    if (documents.length > 1 || !isObject(value)) {
      throw new Fault("bad-manifest", { message: "expected one map as kustomization.", where: { file } });
    }
    return value;
  }

  async #text(file: string): Promise<string> {
    return textOf(await this.#tree.read(file), { file });
  }
}

/** Images may name variables; annotations where the Application says so. */
function expanded(edits: JsonObject, environment: BuildEnvironment): JsonObject {
  const images = edits["images"];
  const annotations = edits["commonAnnotations"];
  const put = (value: Json) => (typeof value === "string" ? substitute(value, environment) : value);
  const expand = edits["commonAnnotationsEnvsubst"] === true && isObject(annotations);
  return {
    ...edits,
    ...(Array.isArray(images) ? { images: (images as readonly Json[]).map(put) } : {}),
    ...(expand
      ? { commonAnnotations: Object.fromEntries(Object.entries(annotations).map(([key, value]) => [key, put(value)])) }
      : {}),
  };
}

/** A plugin's configuration that names a program or an image to run is refused. */
function refuseFunctions(text: string, file: string): void {
  for (const { value } of readYaml(text, { file })) {
    const metadata = isObject(value) ? value["metadata"] : undefined;
    const annotations = isObject(metadata) ? metadata["annotations"] : undefined;
    const names = isObject(annotations) ? Object.keys(annotations) : [];
    if (names.some((name) => /^config\.(kubernetes|k8s)\.io\/function$/.test(name))) throw executable(file);
  }
}

function warningsOf(edits: JsonObject | undefined): readonly string[] {
  const version = edits?.["version"];
  return typeof version === "string" ? [`kustomize.version ${version} is kept but not acted on.`] : [];
}

function missing(reference: string, file: string): Fault {
  return new Fault("path-not-found", {
    message: `expected ${JSON.stringify(reference.slice(0, 200))} in the repository, found nothing.`,
    where: { file },
    next: "Correct the path, or add the file.",
  });
}

function outside(path: string, file: string): Fault {
  return new Fault("path-escapes", {
    message: `expected files in or below the kustomization's directory, found ${JSON.stringify(path.slice(0, 200))}.`,
    where: { file },
    next: "Put the file below, or give its directory a kustomization and name that.",
  });
}

function executable(file: string): Fault {
  return new Fault("not-allowed", {
    message: "expected plain Kustomize, found a function or exec plugin; programs of a repository are never run.",
    where: { file },
    next: "Render it beforehand and commit the result.",
  });
}

function notOne(path: string, from: string, count: number): Fault {
  return new Fault(count === 0 ? "path-not-found" : "bad-manifest", {
    message: `expected one kustomization.yaml in ${path === "" ? "the root" : path}, found ${count === 0 ? "none" : count}.`,
    where: { file: from },
  });
}

function tooDeep(file: string): Fault {
  return new Fault("too-large", {
    message: `expected an overlay of at most ${mostDirectories} directories.`,
    where: { file },
  });
}
