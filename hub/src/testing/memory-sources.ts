import { Fault } from "@capstan/proto";
import type { Commit, CommitInfo, Repository, SourceState, Tree } from "../sources/model.ts";
import type { Sources } from "../sources/port.ts";
import { parseRepository } from "../sources/repository.ts";
import { MemoryTree } from "../sources/testing.ts";

interface Held {
  readonly repository: Repository;
  readonly trees: Map<Commit, Tree>;
  head: CommitInfo | undefined;
  fault: Fault | undefined;
}

/** Repositories in memory: `commit` moves a branch, `breaks` makes one unreachable. All revisions name the newest commit. */
export class MemorySources implements Sources {
  readonly #held = new Map<string, Held>();
  readonly #listeners = new Set<(repository: Repository) => void>();
  #commits = 0;

  /** A new commit that holds exactly these files. */
  commit(url: string, files: Readonly<Record<string, string>>, subject = "change"): Commit {
    const held = this.#repository(url);
    this.#commits += 1;
    const commit = this.#commits.toString(16).padStart(40, "0") as Commit;
    const tree = new MemoryTree(files, url);
    Object.defineProperty(tree, "commit", { value: commit });
    held.trees.set(commit, tree);
    held.head = { commit, author: "ann <ann@example.com>", subject, committedAt: this.#commits };
    held.fault = undefined;
    this.#tell(held);
    return commit;
  }

  /** The repository cannot be read from now on; `forgets`: nor was it ever (a hub that starts while it is away). */
  breaks(url: string, forgets = false): void {
    const held = this.#repository(url);
    held.fault = new Fault("repository-unreachable", { message: `${url} does not answer.` });
    if (forgets) held.head = undefined;
    this.#tell(held);
  }

  watch(): () => void {
    return () => undefined;
  }

  current(url: string, revision: string): SourceState | undefined {
    const held = this.#held.get(parseRepository(url).key);
    if (held?.head === undefined) return undefined;
    const { repository, head: info, fault } = held;
    return { repository, revision, commit: info.commit, info, asOf: 0, ...(fault === undefined ? {} : { fault }) };
  }

  faultOf(url: string): Fault | undefined {
    const held = this.#held.get(parseRepository(url).key);
    if (held !== undefined) return held.fault;
    return new Fault("repository-not-found", { message: `there is no ${url}.` });
  }

  tree(url: string, commit: Commit): Tree {
    const tree = this.#held.get(parseRepository(url).key)?.trees.get(commit);
    if (tree === undefined) throw new Fault("internal", { message: `${url} never gave ${commit}.` });
    return tree;
  }

  refresh(): void {}

  async settle(): Promise<void> {}

  onChange(listener: (repository: Repository) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {}

  #repository(url: string): Held {
    const repository = parseRepository(url);
    const held = this.#held.get(repository.key) ?? { repository, trees: new Map(), head: undefined, fault: undefined };
    this.#held.set(repository.key, held);
    return held;
  }

  #tell({ repository }: Held): void {
    for (const listener of this.#listeners) listener(repository);
  }
}
