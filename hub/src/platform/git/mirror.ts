import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Fault, type Instant } from "@capstan/proto";
import type { Commit, CommitInfo, Credential, Repository, Revision, Tree } from "../../sources/model.ts";
import type { GitMirror } from "../../sources/port.ts";
import { candidates } from "../../sources/revision.ts";
import type { GitBackend } from "./backend.ts";
import { parseCommit } from "./commit.ts";
import { ObjectTree, parseTree, type TreeLimits, type TreeLine } from "./tree.ts";

export interface DiskMirrorOptions {
  /** Holds one directory a repository. */
  readonly directory: string;
  readonly backend: GitBackend;
  readonly limits: TreeLimits;
  now(): Instant;
}

export const defaultTreeLimits: TreeLimits = { fileBytes: 1024 * 1024, entries: 100_000 };

const rememberedLines = 200_000;
const rememberedTrees = 64;
const metadataBytes = 64 * 1024 * 1024;

/** The mirrors on disk. What it remembers is named by content, so it never grows stale; it is bounded. */
export class DiskMirror implements GitMirror {
  readonly #options: DiskMirrorOptions;
  readonly #lines = new Map<string, readonly TreeLine[]>();
  readonly #trees = new Map<string, Tree>();
  #held = 0;

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
    this.#trees.delete(id);
    const tree = known ?? this.#open(repository, commit);
    this.#trees.set(id, tree);
    for (const oldest of this.#trees.keys()) {
      if (this.#trees.size <= rememberedTrees) break;
      this.#trees.delete(oldest);
    }
    return tree;
  }

  async close(): Promise<void> {
    await this.#options.backend.close();
  }

  #open(repository: Repository, commit: Commit): Tree {
    const directory = this.#directory(repository);
    const object = (oid: string, maxBytes: number) =>
      this.#options.backend.object(directory, oid, { peel: false, maxBytes });
    const root = async () => {
      const found = await object(commit, metadataBytes);
      if (found?.bytes === undefined) throw this.#noRevision(repository, commit);
      return parseCommit(commit, found.bytes).tree;
    };
    const reader = { object, lines: (oid: string) => this.#linesOf(oid, object) };
    return new ObjectTree({ repository, commit, root }, reader, this.#options.limits);
  }

  async #linesOf(
    oid: string,
    object: (oid: string, maxBytes: number) => ReturnType<GitBackend["object"]>,
  ): Promise<readonly TreeLine[]> {
    const known = this.#lines.get(oid);
    if (known !== undefined) {
      this.#lines.delete(oid);
      this.#lines.set(oid, known);
      return known;
    }
    const found = await object(oid, metadataBytes);
    if (found?.bytes === undefined || found.type !== "tree") {
      throw new Fault("internal", { message: "the mirror lost a tree.", retryable: true });
    }
    const lines = parseTree(found.bytes);
    this.#remember(oid, lines);
    return lines;
  }

  #remember(oid: string, lines: readonly TreeLine[]): void {
    if (this.#lines.has(oid)) return;
    this.#lines.set(oid, lines);
    this.#held += lines.length;
    for (const [oldest, held] of this.#lines) {
      if (this.#held <= rememberedLines) break;
      this.#lines.delete(oldest);
      this.#held -= held.length;
    }
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
