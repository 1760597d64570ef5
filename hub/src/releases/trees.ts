import { Fault } from "@capstan/proto";
import type { GitNeed, GitSnapshot, GitTreeView } from "../generators/model.ts";
import type { Tree } from "../sources/model.ts";
import { textOf } from "../yaml/text.ts";
import type { SourceView } from "./port.ts";

/** A commit's listing and the texts that were asked for; shared by all sets that read that commit. */
interface Loaded {
  readonly tree: Tree;
  readonly paths: readonly string[];
  readonly texts: Map<string, string | Fault>;
}

/** How many commits are kept; the oldest go first. */
const keep = 64;

/** What the generators see of Git: a snapshot at the revisions' commits of now, loaded as far as they ask. */
export class Trees {
  readonly #sources: SourceView;
  readonly #shared: Map<string, Loaded>;
  /** What this one was asked for: kept as long as it is, however many commits others read meanwhile. */
  readonly #mine = new Map<string, Loaded>();

  constructor(sources: SourceView, shared = new Map<string, Loaded>()) {
    this.#sources = sources;
    this.#shared = shared;
  }

  /** For one pass: a set may read more commits than are kept for all. */
  own(): Trees {
    return new Trees(this.#sources, this.#shared);
  }

  /**
   * The snapshot of this moment. A revision that was not fetched yet shows as a need, one that cannot be as a fault.
   * `asked` is told of every repository and revision that is looked at, and answers with the revision to look at.
   */
  snapshot(asked: (repoURL: string, revision: string) => string): GitSnapshot {
    return {
      tree: (repoURL, wanted) => {
        let revision = wanted;
        try {
          revision = asked(repoURL, wanted);
        } catch (thrown) {
          return broken(Fault.from(thrown, "bad-input"));
        }
        const state = this.#sources.current(repoURL, revision);
        const fault = this.#sources.faultOf(repoURL, revision);
        if (state === undefined) return fault === undefined ? undefined : broken(fault);
        const loaded = this.#known(keyOf(repoURL, state.commit));
        return loaded === undefined ? undefined : view(loaded, state.commit);
      },
    };
  }

  /** Loads what is needed. False where something cannot be loaded yet: its first fetch is under way. */
  async load(needs: readonly GitNeed[]): Promise<boolean> {
    let complete = true;
    for (const { repoURL, revision, path } of needs) {
      const state = this.#sources.current(repoURL, revision);
      if (state === undefined) {
        complete = this.#sources.faultOf(repoURL, revision) !== undefined && complete;
        continue;
      }
      const loaded = await this.#listing(repoURL, state.commit);
      if (path !== undefined) await read(loaded, path);
    }
    return complete;
  }

  async #listing(repoURL: string, commit: Tree["commit"]): Promise<Loaded> {
    const key = keyOf(repoURL, commit);
    const known = this.#known(key);
    if (known !== undefined) return known;
    const tree = this.#sources.tree(repoURL, commit);
    const entries = await tree.entries();
    const paths = entries.filter(({ kind }) => kind === "file" || kind === "executable").map(({ path }) => path);
    const loaded: Loaded = { tree, paths, texts: new Map() };
    this.#mine.set(key, loaded);
    this.#shared.set(key, loaded);
    for (const oldest of this.#shared.keys()) {
      if (this.#shared.size <= keep) break;
      this.#shared.delete(oldest);
    }
    return loaded;
  }

  #known(key: string): Loaded | undefined {
    const found = this.#mine.get(key) ?? this.#shared.get(key);
    if (found !== undefined) this.#mine.set(key, found);
    return found;
  }
}

function keyOf(repoURL: string, commit: string): string {
  return `${repoURL} ${commit}`;
}

/** A file that cannot be read is remembered as its fault, told when it is used. */
async function read(loaded: Loaded, path: string): Promise<void> {
  try {
    loaded.texts.set(path, textOf(await loaded.tree.read(path), { file: path }));
  } catch (thrown) {
    const fault = Fault.from(thrown, "bad-input").at({ file: path });
    // A failing store is tried again; what is wrong with the file itself stays so at this commit.
    if (fault.retryable) throw fault;
    loaded.texts.set(path, fault);
  }
}

function view(loaded: Loaded, commit: string): GitTreeView {
  return {
    commit,
    complete: true,
    paths: () => loaded.paths,
    text: (path) => {
      const text = loaded.texts.get(path);
      if (text instanceof Fault) throw text;
      return text;
    },
  };
}

function broken(fault: Fault): GitTreeView {
  return { commit: "", complete: false, paths: () => [], text: () => undefined, fault };
}
