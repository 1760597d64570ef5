import type { Credential, Repository } from "../../sources/model.ts";

/** One published version of a package. */
export interface Version {
  /** As it is named there: a chart's version, or a registry's tag. */
  readonly name: string;
  /** `sha256:…` or the bare hex digits, where the listing tells. */
  readonly digest?: string;
  /** Where the archive is; absolute. Registries find it by name. */
  readonly url?: string;
  /** Milliseconds since 1970. */
  readonly publishedAt?: number;
  readonly appVersion?: string;
}

/** What a repository has on offer. */
export interface Listing {
  readonly versions: readonly Version[];
  /** Tells the server what we hold already. */
  readonly etag?: string;
}

/** A package's archive with what is known of it. */
export interface Download {
  readonly version: Version;
  /** Of the archive, `sha256:…`; checked against what the repository says. */
  readonly digest: string;
  readonly bytes: Uint8Array;
  /** Whether all paths begin with a folder of the package's name. */
  readonly wrapped: boolean;
}

/** One question to a repository of packages. */
export interface Asking {
  readonly repository: Repository;
  readonly credential: Credential | undefined;
  readonly signal: AbortSignal;
}

/** A kind of repository of packages. Faults: `repository-*`, `revision-not-found`, `too-large`, `digest-mismatch`. */
export interface PackageSource {
  /** What is on offer; undefined where nothing changed since `before`. */
  list(asking: Asking, before: Listing | undefined): Promise<Listing | undefined>;
  /** One version; of a mutable tag the archive of now. */
  download(asking: Asking, version: Version): Promise<Download>;
  /** Whether a name always means the same content. */
  isFixed(name: string): boolean;
}
