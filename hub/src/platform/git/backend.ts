import type { Fault } from "@capstan/proto";
import type { Credential, Repository, Revision } from "../../sources/model.ts";

/** An object of the database. */
export interface GitObject {
  readonly oid: string;
  readonly type: "blob" | "tree" | "commit" | "tag";
  /** Undefined where the object is larger than the caller allowed; `size` tells. */
  readonly bytes: Uint8Array | undefined;
  readonly size: number;
}

/** What differs between native Git and its stand-in. A mirror is a directory; the caller sees to one fetch at a time. */
export interface GitBackend {
  readonly name: "git" | "isomorphic-git";
  /** Makes the mirror where there is none, then brings all refs up to date. Throws translated faults. */
  fetch(directory: string, fetching: Fetching): Promise<void>;
  /** An object by id, or the commit that a full ref name leads to (`peel`). Undefined where there is none. */
  object(directory: string, name: string, options: ReadOptions): Promise<GitObject | undefined>;
  /** The names of all tags, without `refs/tags/`. */
  tags(directory: string): Promise<readonly string[]>;
  /** What is wrong with what a full ref name leads to, though it serves. */
  doubt?(directory: string, name: string): Promise<Fault | undefined>;
  close(): Promise<void>;
}

/** What to fetch, and as whom. */
export interface Fetching {
  readonly repository: Repository;
  readonly credential: Credential | undefined;
  /** Only what this needs and no other fetch brings: a commit that no branch reaches, a chart's version. */
  readonly wanted?: Revision;
  readonly signal: AbortSignal;
}

export interface ReadOptions {
  /** Follow tags to their commit; the name may then be a full ref name or the start of an id. */
  readonly peel: boolean;
  /** Larger objects come without their bytes. */
  readonly maxBytes: number;
}
