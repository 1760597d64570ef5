/**
 * Sources: repositories as commits and trees. One mirror a repository whoever uses it; a failing one serves its last
 * good commit, with the fault and its age beside it. Nothing is checked out (docs/decisions/0014-git-mirrors.md).
 */
import type { Branded, Fault, Instant } from "@capstan/proto";

/** One repository whatever way its URL is written: scheme and host in lower case, no user, no `.git`, no `/` at the end. */
export type RepositoryKey = Branded<"RepositoryKey">;

/** How a repository is reached: Git, an index of Helm charts over HTTP, or an OCI registry. */
export type Transport = "git" | "charts" | "oci";

/** A repository: how it is known, and how it is reached. No form ever holds a credential. */
export interface Repository {
  readonly key: RepositoryKey;
  /** To fetch from: `http:`, `https:`, `ssh:` or `file:` for Git, `http:` or `https:` for charts, `oci:` for a registry. */
  readonly url: string;
  readonly transport: Transport;
  /** The chart's name; its own mirror each, whose tags are the versions. */
  readonly chart?: string;
}

/**
 * What a person may write as `targetRevision`. Names are tried as branch, then as tag, then as the start of a SHA; ranges
 * (`1.x`, `>=1.2 <2`) as the highest tag that they cover.
 */
export type Revision =
  | { readonly kind: "head" }
  | { readonly kind: "range"; readonly range: string }
  | { readonly kind: "commit"; readonly sha: string }
  | { readonly kind: "ref"; readonly ref: string }
  | { readonly kind: "name"; readonly name: string };

/** 40 hex digits. */
export type Commit = Branded<"Commit">;

/** What a tree holds at a path. Links are never followed; `link` and `module` are refused where one is needed. */
export type EntryKind = "file" | "executable" | "link" | "module" | "directory";

/** One entry of a tree. `oid` names its content: equal ids are equal content. */
export interface TreeEntry {
  /** From the repository's root, `/` between names, without a leading or trailing one. */
  readonly path: string;
  readonly kind: EntryKind;
  readonly oid: string;
}

/** The commit as people know it. */
export interface CommitInfo {
  readonly commit: Commit;
  readonly author: string;
  readonly subject: string;
  readonly committedAt: Instant;
  /** What is wrong with it though it serves, as a version that was published anew with other content. */
  readonly fault?: Fault;
}

/**
 * The files of one commit, read from the object database, never from a work tree.
 * Paths are normalised by `normalisePath`; one that would leave the repository throws `path-escapes`.
 * Bound: 100,000 entries a tree, 1 MiB a file (`too-large`).
 */
export interface Tree {
  readonly repository: Repository;
  readonly commit: Commit;
  /** Every file, link and module, ordered by path as bytes. Directories are not listed. */
  entries(): Promise<readonly TreeEntry[]>;
  /** The same below one directory (paths still from the root); undefined where no directory is there. */
  below(directory: string): Promise<readonly TreeEntry[] | undefined>;
  /** What is at the path (the root is `""`), or undefined. */
  entry(path: string): Promise<TreeEntry | undefined>;
  /** The bytes of a file. `path-not-found`, `link-refused`, `too-large`. */
  read(path: string): Promise<Uint8Array>;
  /** Many files in one round; the same faults as `read`. */
  readMany(paths: readonly string[]): Promise<ReadonlyMap<string, Uint8Array>>;
  /** Id of the content of a directory, or undefined where none is there. */
  subtreeOid(path: string): Promise<string | undefined>;
}

/** What is known of a repository at a revision. With a fault it is the last good state, and `asOf` tells its age. */
export interface SourceState {
  readonly repository: Repository;
  readonly revision: string;
  readonly commit: Commit;
  readonly info: CommitInfo;
  /** When the repository last answered. */
  readonly asOf: Instant;
  /** Why the last try failed; absent while all is well. */
  readonly fault?: Fault;
}

/** How to sign in at a repository. Held in memory only; never logged, never in a URL or an argument. */
export type Credential =
  | { readonly kind: "basic"; readonly username: string; readonly password: string }
  | { readonly kind: "bearer"; readonly token: string }
  /** A private key as OpenSSH writes it, without a passphrase. */
  | { readonly kind: "ssh-key"; readonly privateKey: string }
  /** Path of the socket of an agent that holds the key. */
  | { readonly kind: "ssh-agent"; readonly socket: string };
