import { Fault } from "@capstan/proto";
import type { Commit, EntryKind, Repository, Tree, TreeEntry } from "./model.ts";
import { isWithin, normalisePath } from "./path.ts";
import { parseRepository } from "./repository.ts";

/** A tree of texts, for tests of what reads trees. A text that starts with `link:` makes a symbolic link, `module:` a submodule. */
export class MemoryTree implements Tree {
  readonly repository: Repository;
  readonly commit: Commit;
  readonly #files: Readonly<Record<string, string>>;

  constructor(files: Readonly<Record<string, string>>, repository = "https://git.example.com/fleet.git") {
    this.#files = files;
    this.repository = parseRepository(repository);
    this.commit = "0123456789abcdef0123456789abcdef01234567" as Commit;
  }

  entries(): Promise<readonly TreeEntry[]> {
    return Promise.resolve(this.#entries());
  }

  async below(directory: string): Promise<readonly TreeEntry[] | undefined> {
    const path = normalisePath(directory);
    const entry = await this.entry(path);
    return entry?.kind === "directory" ? this.#entries().filter((file) => isWithin(path, file.path)) : undefined;
  }

  async entry(path: string): Promise<TreeEntry | undefined> {
    const wanted = normalisePath(path);
    const file = this.#entries().find((entry) => entry.path === wanted);
    const inside = this.#entries().filter((entry) => isWithin(wanted, entry.path));
    const directory: TreeEntry = { path: wanted, kind: "directory", oid: JSON.stringify(inside) };
    return await Promise.resolve(file ?? (inside.length > 0 || wanted === "" ? directory : undefined));
  }

  async read(path: string): Promise<Uint8Array> {
    const entry = await this.entry(path);
    if (entry?.kind === "file") return new TextEncoder().encode(this.#files[entry.path]);
    throw new Fault(entry?.kind === "link" ? "link-refused" : "path-not-found", { message: `no file ${path}.` });
  }

  async readMany(paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const files = new Map<string, Uint8Array>();
    for (const path of paths) files.set(path, await this.read(path));
    return files;
  }

  async subtreeOid(path: string): Promise<string | undefined> {
    const entry = await this.entry(path);
    return entry?.kind === "directory" ? entry.oid : undefined;
  }

  #entries(): readonly TreeEntry[] {
    return Object.entries(this.#files)
      .map(([path, text]) => ({ path, kind: kindOf(text), oid: text }))
      .sort((one, other) => (one.path < other.path ? -1 : 1));
  }
}

function kindOf(text: string): EntryKind {
  if (text.startsWith("link:")) return "link";
  return text.startsWith("module:") ? "module" : "file";
}
