import type { Instant } from "@capstan/proto";
import type { Commit, CommitInfo, Credential, Repository, Revision, SourceState, Tree } from "./model.ts";

/** One mirror of each repository's objects and refs, and of each chart's versions. Translates whatever fails into faults. */
export interface GitMirror {
  /**
   * Brings branches, tags and HEAD up to date; the first time it makes the mirror.
   * `repository-unreachable`, `repository-not-found`, `repository-auth`.
   */
  fetch(repository: Repository, credential: Credential | undefined, signal: AbortSignal): Promise<void>;
  /**
   * Fetches what the revision needs and `fetch` does not bring: a commit that no branch or tag reaches, where the server
   * allows it, or a chart's version. `revision-not-found`, and those of `fetch`.
   */
  fetchRevision(
    repository: Repository,
    revision: Revision,
    by: { readonly credential: Credential | undefined; readonly signal: AbortSignal },
  ): Promise<void>;
  /** The commit that the revision names in the mirror as it is now. `revision-not-found`. */
  resolve(repository: Repository, revision: Revision): Promise<CommitInfo>;
  /** When the mirror last reached its repository, in a life before this one too. */
  fetchedAt(repository: Repository): Promise<Instant>;
  /** The files of a commit that the mirror holds. */
  tree(repository: Repository, commit: Commit): Tree;
  /** Ends child processes and lets go of what is held open. The mirrors stay on disk. */
  close(): Promise<void>;
}

/** Where a password is kept: a file (its trailing newline is cut) or a variable of the hub's environment. */
export type SecretReference = { readonly file: string } | { readonly env: string };

/** Reads a secret by reference, each time anew, so that a rotated one is used at once. `bad-config` where it is absent. */
export interface SecretReader {
  read(reference: SecretReference): Promise<string>;
}

/** What the hub's pipeline asks of the repositories. Reads never wait for the network. */
export interface Sources {
  /** Keeps the revision up to date from now on; returns how to stop. Watching again is cheap and counted. */
  watch(repositoryURL: string, revision: string): () => void;
  /** The last good state, stale or not; undefined before the first success (see `faultOf`). */
  current(repositoryURL: string, revision: string): SourceState | undefined;
  /** Why a watched revision has no state, or an old one; undefined while all is well or nothing was tried yet. */
  faultOf(repositoryURL: string, revision: string): SourceState["fault"];
  /** The files of a commit that `current` gave. */
  tree(repositoryURL: string, commit: Commit): Tree;
  /** Asks for a fetch as soon as may be, as a webhook does. Unknown repositories are ignored. */
  refresh(repositoryURL: string): void;
  /** Fetches now, and resolves once the watched revisions are settled (never rejects: see `faultOf`). */
  settle(repositoryURL: string, signal: AbortSignal): Promise<void>;
  /** Called after a watched revision's commit moved, or its fault came or went. Returns how to stop. */
  onChange(listener: (repository: Repository) => void): () => void;
  /** Runs until the signal aborts. Constructing does nothing. */
  start(signal: AbortSignal): Promise<void>;
}
