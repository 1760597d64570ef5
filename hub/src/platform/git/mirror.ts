import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, type Instant } from "@capstan/proto";
import type { Commit, CommitInfo, Credential, Repository, Revision, Tree } from "../../sources/model.ts";
import type { GitMirror } from "../../sources/port.ts";
import { candidates } from "../../sources/revision.ts";
import type { GitBackend, GitObject } from "./backend.ts";
import { parseCommit } from "./commit.ts";
import { Lru } from "./lru.ts";
import { ObjectTree, parseTree, type TreeLimits, type TreeLine, type TreeReader } from "./tree.ts";

export interface DiskMirrorOptions {
  /** Holds one directory a repository. */
  readonly directory: string;
  readonly backend: GitBackend;
  readonly limits: TreeLimits;
  now(): Instant;
}

/** Bounds of a repository: 1 MiB a file, 100,000 entries. */
export const defaultTreeLimits: TreeLimits = { fileBytes: 1024 * 1024, entries: 100_000 };

// Lines of tree objects, opened commits, bytes of small files.
const remembered = { lines: 200_000, trees: 64, bytes: 32 * 1024 * 1024 };
const smallFile = 64 * 1024;
const metadataBytes = 64 * 1024 * 1024;

/** The mirrors on disk. What it remembers is named by content, so it never grows stale; it is bounded. */
export class DiskMirror implements GitMirror {
  readonly #options: DiskMirrorOptions;
  readonly #lines = new Lru<readonly TreeLine[]>(remembered.lines);
  readonly #trees = new Lru<Tree>(remembered.trees);
  readonly #files = new Lru<GitObject>(remembered.bytes);

  constructor(options: DiskMirrorOptions) {
    this.#options = options;
  }

  async fetch(repository: Repository, credential: Credential | undefined, signal: AbortSignal): Promise<void> {
    const directory = this.#directory(repository);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await this.#options.backend.fetch(directory, { repository, credential, signal });
    await writeFile(join(directory, "capstan-fetched"), String(this.#options.now()));
  }

  async fetchCommit(
    repository: Repository,
    sha: string,
    credential: Credential | undefined,
    signal: AbortSignal,
  ): Promise<void> {
    try {
      await this.#options.backend.fetch(this.#directory(repository), { repository, credential, commit: sha, signal });
    } catch (cause) {
      throw this.#noRevision(repository, sha, cause);
    }
  }

  async resolve(repository: Repository, revision: Revision): Promise<CommitInfo> {
    const directory = this.#directory(repository);
    for (const name of candidates(revision)) {
      const object = await this.#options.backend.object(directory, name, { peel: true, maxBytes: metadataBytes });
      if (object?.bytes === undefined) continue;
      const { tree: _, ...info } = parseCommit(object.oid, object.bytes);
      return info;
    }
    throw this.#noRevision(repository, textOf(revision));
  }

  async fetchedAt(repository: Repository): Promise<Instant> {
    return Number(await readFile(join(this.#directory(repository), "capstan-fetched"), "utf8"));
  }

  tree(repository: Repository, commit: Commit): Tree {
    const id = `${repository.key} ${commit}`;
    const known = this.#trees.get(id);
    if (known !== undefined) return known;
    const tree = this.#open(repository, commit);
    this.#trees.set(id, tree);
    return tree;
  }

  async close(): Promise<void> {
    await this.#options.backend.close();
  }

  #open(repository: Repository, commit: Commit): Tree {
    const directory = this.#directory(repository);
    const object = (oid: string, maxBytes: number) => this.#object(directory, oid, maxBytes);
    const root = async () => {
      const found = await object(commit, metadataBytes);
      if (found?.bytes === undefined) throw this.#noRevision(repository, commit);
      return parseCommit(commit, found.bytes).tree;
    };
    const reader = { object, lines: (oid: string) => this.#linesOf(oid, object) };
    return new ObjectTree({ repository, commit, root }, reader, this.#options.limits);
  }

  async #object(directory: string, oid: string, maxBytes: number): Promise<GitObject | undefined> {
    const known = this.#files.get(oid);
    if (known !== undefined) return known;
    const found = await this.#options.backend.object(directory, oid, { peel: false, maxBytes });
    if (found?.bytes !== undefined && found.type === "blob" && found.size <= smallFile) {
      this.#files.set(oid, found, found.size + 200);
    }
    return found;
  }

  async #linesOf(oid: string, object: TreeReader["object"]): Promise<readonly TreeLine[]> {
    const known = this.#lines.get(oid);
    if (known !== undefined) return known;
    const found = await object(oid, metadataBytes);
    if (found?.bytes === undefined || found.type !== "tree") {
      throw new Fault("internal", { message: "the mirror lost a tree.", retryable: true });
    }
    const lines = parseTree(found.bytes);
    this.#lines.set(oid, lines, lines.length + 1);
    return lines;
  }

  #directory(repository: Repository): string {
    return join(this.#options.directory, createHash("sha256").update(repository.key).digest("hex").slice(0, 32));
  }

  #noRevision(repository: Repository, revision: string, cause?: unknown): Fault {
    return new Fault("revision-not-found", {
      message: `the repository has no branch, tag or commit ${JSON.stringify(revision)}.`,
      where: { repository: repository.url, revision },
      next: "Check targetRevision, or push it.",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

function textOf(revision: Revision): string {
  switch (revision.kind) {
    case "head":
      return "HEAD";
    case "commit":
      return revision.sha;
    case "ref":
      return revision.ref;
    case "name":
      return revision.name;
  }
}
