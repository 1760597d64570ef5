import type { Document } from "./model.ts";
import type { DocumentKey } from "./registry.ts";

/** Where documents are kept: key `document.<kind>.<namespace>.<name>`. Writes are fenced (`not-leader`). */
export interface DocumentStore {
  load(signal: AbortSignal): Promise<Document[]>;
  save(documents: readonly Document[], signal: AbortSignal): Promise<void>;
  delete(documents: readonly Document[], signal: AbortSignal): Promise<void>;
}

/** The files below a root at the commit that it stands at. */
export interface RootFiles {
  readonly commit: string;
  /** YAML and JSON files, path and text; a file that cannot be read has its fault instead. */
  readonly files: readonly { readonly path: string; readonly text: string | Error }[];
}

/** Reads roots from their repositories. */
export interface RootReader {
  watch(root: Root): () => void;
  /** Undefined before the first fetch. Throws where the path is not there or the repository cannot be read at all. */
  read(root: Root): Promise<RootFiles | undefined>;
}

/** A Git path that the hub follows. */
export interface Root {
  readonly name: string;
  readonly repoURL: string;
  readonly revision: string;
  readonly path: string;
}

/** Told of every change, after it is durable. */
export interface DocumentListener {
  changed(keys: readonly DocumentKey[], documents: readonly Document[]): void;
}
