import type { Instant } from "@capstan/proto";
import type { ListingQuery, ListingState } from "./model.ts";

/** How to trust a server. */
export interface ServerTrust {
  /** Takes any certificate. */
  readonly insecure: boolean;
  /** PEM, besides what the system trusts. */
  readonly ca?: string;
}

/** One request. */
export interface ApiRequest {
  readonly method: "GET" | "POST";
  readonly url: string;
  /** Lower case. Authorization leaves the first origin never. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly trust: ServerTrust;
  readonly timeoutMs: number;
}

/** One whole answer, of any status. */
export interface ApiReply {
  readonly status: number;
  /** Lower case; of several the first. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/**
 * Speaks HTTP. Follows few redirects, none to a private address of another origin, and reads bodies of at most 8 MiB.
 * Throws `api-unreachable`, `timeout`, `too-large`, `api-answer`.
 */
export interface ApiClient {
  send(request: ApiRequest, signal: AbortSignal): Promise<ApiReply>;
}

/** Where a secret is kept: a file or a variable of the hub's environment. */
export type SecretReference = { readonly file: string } | { readonly env: string };

/** Reads a secret by reference, each time anew. `bad-config` where it is absent. */
export interface SecretReader {
  read(reference: SecretReference): Promise<string>;
}

/** Signs in as a GitHub App. */
export interface AppSigner {
  /** A JSON Web Token (RS256) for the app, good for some minutes from `now`. Throws `bad-config` for a key that is none. */
  appToken(app: { readonly id: string; readonly privateKey: string }, now: Instant): string;
}

/** What the pipeline asks of servers outside. Reads never wait for the network. */
export interface Listings {
  /** Keeps the answer up to date from now on; returns how to stop. Watching again is cheap and counted. */
  watch(query: ListingQuery): () => void;
  /** Undefined before the first try has ended. */
  current(query: ListingQuery): ListingState | undefined;
  /** Resolves once the watched query has a state, or the signal aborts; never rejects. */
  settle(query: ListingQuery, signal: AbortSignal): Promise<void>;
  /** Called with the query's key after its answer or its fault changed. Returns how to stop. */
  onChange(listener: (key: string) => void): () => void;
  /** A host told of a change in this repository: what may list it is asked anew soon. */
  hint(repositoryURL: string): void;
  /** A ConfigMap changed: what failed, or asks a plugin, is asked anew. */
  settingsChanged(): void;
  /** Runs until the signal aborts. Constructing does nothing. */
  start(signal: AbortSignal): Promise<void>;
}
