import type { RepositoryKey } from "../sources/model.ts";
import { parseRepository } from "../sources/repository.ts";
import type { SourceView } from "./port.ts";

/** Which repositories each owner reads: they are fetched as long as somebody does. */
export class Watches {
  readonly #sources: SourceView;
  readonly #owners = new Map<string, Map<string, () => void>>();

  constructor(sources: SourceView) {
    this.#sources = sources;
  }

  /** The owner reads this revision. Returns its key. Throws `bad-input` for a URL that is none. */
  need(owner: string, repoURL: string, revision: string): string {
    const key = `${repoURL} ${revision}`;
    const watches = this.#owners.get(owner) ?? new Map<string, () => void>();
    if (!watches.has(key)) watches.set(key, this.#sources.watch(repoURL, revision));
    this.#owners.set(owner, watches);
    return key;
  }

  /** The owner reads these and no others: what nobody reads is no longer fetched. */
  keep(owner: string, wanted: ReadonlySet<string>): void {
    const watches = this.#owners.get(owner);
    for (const [key, stop] of watches ?? []) {
      if (wanted.has(key)) continue;
      stop();
      watches?.delete(key);
    }
    if (watches?.size === 0) this.#owners.delete(owner);
  }

  /** Owners that read a repository. */
  readersOf(repository: RepositoryKey): string[] {
    return [...this.#owners].flatMap(([owner, watches]) => {
      const reads = [...watches.keys()].some((key) => parseRepository(key.split(" ")[0] ?? "").key === repository);
      return reads ? [owner] : [];
    });
  }

  /** Nobody reads anything any more. */
  close(): void {
    for (const owner of [...this.#owners.keys()]) this.keep(owner, new Set());
  }
}
