import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, type Instant } from "@capstan/proto";
import type { Commit, CommitInfo, Credential, Repository, Revision, Tree } from "../../sources/model.ts";
import type { GitMirror } from "../../sources/port.ts";
import { candidates, revisionText } from "../../sources/revision.ts";
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

  async fetchRevision(
    repository: Repository,
    revision: Revision,
    { credential, signal }: { readonly credential: Credential | undefined; readonly signal: AbortSignal },
  ): Promise<void> {
    // Branches and tags came with the fetch before.
    if (repository.transport === "git" && revision.kind !== "commit") throw this.#noRevision(repository, revision);
    try {
      const directory = this.#directory(repository);
      await this.#options.backend.fetch(directory, { repository, credential, wanted: revision, signal });
    } catch (thrown) {
      throw repository.transport === "git" ? this.#noRevision(repository, revision, thrown) : thrown;
    }
  }

  async resolve(repository: Repository, revision: Revision): Promise<CommitInfo> {
    const { backend } = this.#options;
    const directory = this.#directory(repository);
    // A package has no HEAD: its newest version is meant.
    const meant: Revision =
      revision.kind === "head" && repository.transport !== "git" ? { kind: "range", range: "*" } : revision;
    const tags = meant.kind === "range" ? await backend.tags(directory) : [];
    for (const name of candidates(meant, tags)) {
      const object = await backend.object(directory, name, { peel: true, maxBytes: metadataBytes });
      if (object?.bytes === undefined) continue;
      const { tree: _, ...info } = parseCommit(object.oid, object.bytes);
      const fault = await backend.doubt?.(directory, name);
      return fault === undefined ? info : { ...info, fault };
    }
    throw this.#noRevision(repository, revision);
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
      if (found?.bytes === undefined) throw this.#noRevision(repository, { kind: "commit", sha: commit });
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

  #noRevision(repository: Repository, wanted: Revision, cause?: unknown): Fault {
    const revision = revisionText(wanted);
    const kinds = wanted.kind === "range" ? "tag that is a version within" : "branch, tag or commit";
    return new Fault("revision-not-found", {
      message: `the repository has no ${repository.transport === "git" ? kinds : "version"} ${JSON.stringify(revision)}.`,
      where: { repository: repository.url, revision },
      next: "Check targetRevision, or push it.",
      ...(cause === undefined ? {} : { cause }),
    });
  }
}
