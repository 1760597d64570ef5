import { Fault } from "@capstan/proto";
import type { Commit, EntryKind, Repository, Tree, TreeEntry } from "../../sources/model.ts";
import { joinPath, normalisePath } from "../../sources/path.ts";
import type { GitObject } from "./backend.ts";

/** One line of a tree object. */
export interface TreeLine {
  readonly name: string;
  readonly kind: EntryKind;
  readonly oid: string;
}

/** How a tree is read: by object ids alone. */
export interface TreeReader {
  /** The lines of a tree object, remembered by id. */
  lines(oid: string): Promise<readonly TreeLine[]>;
  object(oid: string, maxBytes: number): Promise<GitObject | undefined>;
}

export interface TreeLimits {
  readonly fileBytes: number;
  readonly entries: number;
}

const longestPath = 4096;

const kinds: Readonly<Record<string, EntryKind>> = {
  "40000": "directory",
  "100755": "executable",
  "120000": "link",
  "160000": "module",
};

/** Reads a tree object: `mode SP name NUL` and 20 bytes of id, again and again. */
export function parseTree(bytes: Uint8Array): readonly TreeLine[] {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const lines: TreeLine[] = [];
  let at = 0;
  while (at < data.length) {
    const space = data.indexOf(32, at);
    const end = data.indexOf(0, space);
    if (space < 0 || end < 0 || end + 20 >= data.length + 1)
      throw new Fault("internal", { message: "a torn Git tree." });
    const mode = data.toString("latin1", at, space).replace(/^0+/, "");
    const oid = data.toString("hex", end + 1, end + 21);
    lines.push({ name: data.toString("utf8", space + 1, end), kind: kinds[mode] ?? "file", oid });
    at = end + 21;
  }
  return lines;
}

/** The files of one commit, walked from its tree object only as far as asked. */
export class ObjectTree implements Tree {
  readonly repository: Repository;
  readonly commit: Commit;
  readonly #root: () => Promise<string>;
  readonly #reader: TreeReader;
  readonly #limits: TreeLimits;
  #all: Promise<readonly TreeEntry[]> | undefined;
  /** Of the commit: asked for once, not at each of thousands of looks. */
  #rootId: Promise<string> | undefined;

  constructor(
    of: { readonly repository: Repository; readonly commit: Commit; root(): Promise<string> },
    reader: TreeReader,
    limits: TreeLimits,
  ) {
    this.repository = of.repository;
    this.commit = of.commit;
    this.#root = () => {
      this.#rootId ??= of.root();
      this.#rootId.catch(() => {
        this.#rootId = undefined;
      });
      return this.#rootId;
    };
    this.#reader = reader;
    this.#limits = limits;
  }

  entries(): Promise<readonly TreeEntry[]> {
    this.#all ??= this.#walk("", this.#root());
    this.#all.catch(() => {
      this.#all = undefined;
    });
    return this.#all;
  }

  async below(directory: string): Promise<readonly TreeEntry[] | undefined> {
    const path = normalisePath(directory);
    if (path === "") return await this.entries();
    const oid = await this.subtreeOid(path);
    return oid === undefined ? undefined : await this.#walk(path, Promise.resolve(oid));
  }

  async entry(path: string): Promise<TreeEntry | undefined> {
    const wanted = normalisePath(path);
    let found: TreeEntry = { path: "", kind: "directory", oid: await this.#root() };
    if (wanted === "") return found;
    for (const name of wanted.split("/")) {
      if (found.kind !== "directory") return undefined;
      const line = (await this.#reader.lines(found.oid)).find((candidate) => candidate.name === name);
      if (line === undefined) return undefined;
      found = { path: joinPath(found.path, name), kind: line.kind, oid: line.oid };
      if (found.kind === "link" && found.path !== wanted) throw this.#refused(found);
    }
    return found;
  }

  async subtreeOid(path: string): Promise<string | undefined> {
    const entry = await this.entry(path);
    return entry?.kind === "directory" ? entry.oid : undefined;
  }

  async read(path: string): Promise<Uint8Array> {
    const wanted = normalisePath(path);
    const entry = await this.entry(wanted);
    if (entry === undefined || entry.kind === "directory") {
      throw new Fault("path-not-found", {
        message: `expected a file at ${wanted === "" ? "the root" : wanted}, found ${entry ? "a directory" : "nothing"}.`,
        where: { ...this.#where(), file: wanted },
      });
    }
    if (entry.kind === "link" || entry.kind === "module") throw this.#refused(entry);
    const object = await this.#reader.object(entry.oid, this.#limits.fileBytes);
    if (object === undefined) {
      throw new Fault("internal", {
        message: "the mirror lost an object.",
        where: { ...this.#where(), file: wanted },
        retryable: true,
      });
    }
    if (object.bytes !== undefined) return object.bytes;
    throw new Fault("too-large", {
      message: `expected a file of at most ${this.#limits.fileBytes} bytes, found ${object.size}.`,
      where: { ...this.#where(), file: wanted },
      next: "Make the file smaller, or split it.",
    });
  }

  async readMany(paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>> {
    const unique = [...new Set(paths)];
    const contents = await Promise.all(unique.map((path) => this.read(path)));
    const files = new Map<string, Uint8Array>();
    for (const [index, path] of unique.entries()) files.set(path, contents[index] ?? new Uint8Array());
    return files;
  }

  async #walk(start: string, root: Promise<string>): Promise<readonly TreeEntry[]> {
    const files: TreeEntry[] = [];
    let level: { readonly path: string; readonly oid: string }[] = [{ path: start, oid: await root }];
    while (level.length > 0) {
      // Equal directories are one object: it is read once.
      const oids = [...new Set(level.map((at) => at.oid))];
      const read = await Promise.all(oids.map(async (oid) => [oid, await this.#reader.lines(oid)] as const));
      const lines = new Map(read);
      const directories = level;
      level = [];
      for (const at of directories) {
        for (const line of lines.get(at.oid) ?? []) {
          const path = joinPath(at.path, this.#checked(at.path, line.name));
          if (line.kind === "directory") level.push({ path, oid: line.oid });
          else files.push({ path, kind: line.kind, oid: line.oid });
          if (files.length + level.length > this.#limits.entries || path.length > longestPath) throw this.#tooMany();
        }
      }
    }
    return files.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  /** Git itself would never write such a name; a made tree object may hold it. */
  #checked(directory: string, name: string): string {
    if (name !== "" && name !== "." && name !== ".." && name.toLowerCase() !== ".git" && !/[/\\]/.test(name))
      return name;
    throw new Fault("path-escapes", {
      message: `expected plain file names, found ${JSON.stringify(name)}.`,
      where: { ...this.#where(), file: directory },
      next: "Remove the entry from the repository.",
    });
  }

  #refused(entry: TreeEntry): Fault {
    const what = entry.kind === "link" ? "a symbolic link" : "a submodule";
    return new Fault("link-refused", {
      message: `expected a regular file or directory, found ${what}; links are never followed.`,
      where: { ...this.#where(), file: entry.path },
      next: "Put a copy of the file in its place.",
    });
  }

  #tooMany(): Fault {
    return new Fault("too-large", {
      message: `expected a tree of at most ${this.#limits.entries} entries, with paths of at most ${longestPath} characters.`,
      where: this.#where(),
      next: "Point at a smaller repository.",
    });
  }

  #where() {
    return { repository: this.repository.url, revision: this.commit };
  }
}
