import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import type { Standing } from "../distribution/standing.ts";
import type { GenerateInput, GenerateResult } from "../generators/model.ts";
import type { ListingQuery, ListingState } from "../listings/model.ts";
import type { Bundle, RenderKey, RenderRequest } from "../render/model.ts";
import type { SourceState, Tree } from "../sources/model.ts";
import type { StoredBundleRef, TargetContent } from "../targets/content.ts";

/** Repositories as they stand; reads never wait for the network. */
export interface SourceView {
  watch(repositoryURL: string, revision: string): () => void;
  current(repositoryURL: string, revision: string): SourceState | undefined;
  faultOf(repositoryURL: string, revision: string): SourceState["fault"];
  tree(repositoryURL: string, commit: SourceState["commit"]): Tree;
  /** Fetches now; resolves once the watched revisions are settled, and never rejects. */
  settle(repositoryURL: string, signal: AbortSignal): Promise<void>;
}

/** What servers outside answered; reads never wait for the network. */
export interface ListingView {
  watch(query: ListingQuery): () => void;
  current(query: ListingQuery): ListingState | undefined;
  /** Resolves once a watched query has an answer or a fault; never rejects. */
  settle(query: ListingQuery, signal: AbortSignal): Promise<void>;
}

/** Runs the generators of a set over what is given. Pure. */
export type Generate = (input: GenerateInput) => GenerateResult;

/** A render whose inputs have been read: its key covers everything that it depends on. */
export interface PreparedRender {
  readonly key: RenderKey;
  run(signal: AbortSignal): Promise<Bundle>;
}

/** Makes bundles. */
export interface Renderer {
  /** The key of a render, told from what is remembered where nothing that it reads has changed. */
  key(request: RenderRequest, signal: AbortSignal): Promise<RenderKey>;
  prepare(request: RenderRequest, signal: AbortSignal): Promise<PreparedRender>;
}

/** What was rendered once is remembered, key `render.<input digest>`, so that nothing redeploys by itself. */
export interface RenderMemory {
  /** Reads all of it; call at the start of a term. */
  load(signal: AbortSignal): Promise<void>;
  get(key: RenderKey): StoredBundleRef | undefined;
  put(key: RenderKey, bundle: StoredBundleRef, signal: AbortSignal): Promise<void>;
  /** These bundles are gone, and with them what was remembered of them. */
  drop(bundles: ReadonlySet<Digest>, signal: AbortSignal): Promise<void>;
}

/** Keeps bundles. */
export interface BundleKeeper {
  store(digest: Digest, content: Uint8Array, signal: AbortSignal): Promise<StoredBundleRef>;
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
}

/** What desired states hold now of an owner's targets. */
export interface StandingView {
  of(owner: string): readonly Standing[];
  /** The content in force, with its bundle, for what must stay as it is. */
  content(cluster: ClusterId, target: TargetKey): TargetContent | undefined;
  /** Who has the name already, as `namespace/name` of its owner; undefined: nobody. */
  ownerOf(target: TargetKey): string | undefined;
}
