import type { ApplicationSource, Json } from "../documents/model.ts";
import type { Repository, Tree, TreeEntry } from "../sources/model.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import { namesRevision } from "./environment.ts";
import type { RenderKey, RenderRequest } from "./model.ts";
import { prepareRender, type RenderPorts } from "./render.ts";

/** What planning looked at in one tree: path → id of what was there, or `none`. */
type Looks = Map<string, string>;

interface Remembered {
  readonly key: RenderKey;
  /** One a source, in order. */
  readonly looks: readonly Looks[];
  /** Commits of the charts that it depends on, by what they were asked for with. */
  readonly dependencies: readonly Dependency[];
}

interface Dependency {
  readonly location: string;
  readonly version: string;
  readonly commit: Tree["commit"];
}

/**
 * Render keys, remembered by what was looked at, not by commit: a commit that touches one application of a thousand
 * costs the others a few look-ups. Bounded; what it forgets is planned again. Faults are not remembered.
 */
export class RenderKeys {
  readonly #ports: RenderPorts;
  readonly #most: number;
  readonly #remembered = new Map<string, Remembered>();
  readonly #listIds = new WeakMap<readonly string[], string>();

  constructor(ports: RenderPorts, most: number) {
    this.#ports = ports;
    this.#most = most;
  }

  /** The key that `prepareRender` would give; throws as it does. */
  async keyOf(request: RenderRequest, signal: AbortSignal): Promise<RenderKey> {
    const id = await this.#idOf(request, signal);
    const known = this.#remembered.get(id);
    this.#remembered.delete(id);
    if (known !== undefined && (await isStillSo(known, request))) {
      this.#remembered.set(id, known);
      return known.key;
    }
    const watched = request.sources.map(({ source, tree }) => ({ source, tree: new WatchedTree(tree) }));
    const dependencies: Dependency[] = [];
    const { dependency: find } = request;
    const dependency = (location: string, version: string) => {
      const tree = (find as NonNullable<typeof find>)(location, version);
      dependencies.push({ location, version, commit: tree.commit });
      return tree;
    };
    const asked: RenderRequest = { ...request, sources: watched, ...(find === undefined ? {} : { dependency }) };
    const { key } = await prepareRender(asked, this.#ports, signal);
    this.#remembered.set(id, { key, looks: watched.map(({ tree }) => tree.looks), dependencies });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= this.#most) break;
      this.#remembered.delete(oldest);
    }
    return key;
  }

  async #idOf(request: RenderRequest, signal: AbortSignal): Promise<string> {
    const text = canonicalJson({
      sources: request.sources.map(({ source, tree }) => describe(source, tree)),
      name: request.name,
      project: request.project ?? "",
      namespace: request.namespace,
      kubeVersion: request.kubeVersion ?? "",
      apiVersions: this.#listId(request.apiVersions ?? []),
      versions: { ...(await this.#ports.tools.versions(signal)) },
    });
    return this.#ports.sha256(new TextEncoder().encode(text));
  }

  /** A cluster's list is one array for all of its targets, and long. */
  #listId(list: readonly string[]): string {
    const known = this.#listIds.get(list);
    if (known !== undefined) return known;
    const id = this.#ports.sha256(new TextEncoder().encode([...list].sort().join("\n")));
    this.#listIds.set(list, id);
    return id;
  }
}

/** With the commit where the source names it, so that its key follows. */
function describe(source: ApplicationSource, tree: Tree): Json {
  const text = canonicalJson(source as unknown as Json);
  return [tree.repository.key, text, namesRevision(text) ? tree.commit : ""];
}

async function isStillSo(known: Remembered, request: RenderRequest): Promise<boolean> {
  // Each is asked for, so that it stays watched; one that is gone is the fault of the render.
  if (!known.dependencies.every((each) => isSameChart(each, request))) return false;
  for (const [index, { tree }] of request.sources.entries()) {
    for (const [path, oid] of known.looks[index] ?? []) {
      if ((await idAt(tree, path)) !== oid) return false;
    }
  }
  return true;
}

function isSameChart({ location, version, commit }: Dependency, { dependency }: RenderRequest): boolean {
  try {
    return dependency?.(location, version).commit === commit;
  } catch {
    // Planning asks again, and tells.
    return false;
  }
}

async function idAt(tree: Tree, path: string): Promise<string> {
  const entry = await tree.entry(path);
  return entry === undefined ? "none" : `${entry.kind} ${entry.oid}`;
}

/** Notes what is asked of a tree. A directory that is listed stands for all below it. */
class WatchedTree implements Tree {
  readonly looks: Looks = new Map();
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
  }

  get repository(): Repository {
    return this.#tree.repository;
  }

  get commit(): Tree["commit"] {
    return this.#tree.commit;
  }

  async entries(): Promise<readonly TreeEntry[]> {
    await this.#note("");
    return await this.#tree.entries();
  }

  async below(directory: string): Promise<readonly TreeEntry[] | undefined> {
    await this.#note(directory);
    return await this.#tree.below(directory);
  }

  async entry(path: string): Promise<TreeEntry | undefined> {
    const entry = await this.#tree.entry(path);
    // That a directory is there says nothing of its content.
    if (entry?.kind !== "directory") this.looks.set(path, entry === undefined ? "none" : `${entry.kind} ${entry.oid}`);
    return entry;
  }

  async read(path: string): Promise<Uint8Array> {
    await this.#note(path);
    return await this.#tree.read(path);
  }

  async readMany(paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    await Promise.all(paths.map((path) => this.#note(path)));
    return await this.#tree.readMany(paths);
  }

  async subtreeOid(path: string): Promise<string | undefined> {
    await this.#note(path);
    return await this.#tree.subtreeOid(path);
  }

  async #note(path: string): Promise<void> {
    this.looks.set(path, await idAt(this.#tree, path));
  }
}
