import type { ClusterId, Digest } from "@capstan/proto";
import type { SealedKey } from "@capstan/proto/desired";
import type { StoredBundleRef } from "../targets/content.ts";

/** Where signed desired states are kept: key `desired.<cluster>`. Writes are fenced (`not-leader`). */
export interface DesiredStore {
  load(signal: AbortSignal): Promise<ReadonlyMap<ClusterId, Uint8Array>>;
  saveAll(writes: ReadonlyMap<ClusterId, Uint8Array>, signal: AbortSignal): Promise<void>;
  delete(cluster: ClusterId, signal: AbortSignal): Promise<void>;
}

/** Where bundles are kept, encrypted and cut into chunks. */
export interface BundleVault {
  /** Stores the content under its digest, unless it is there; returns how it is stored. */
  store(digest: Digest, content: Uint8Array, signal: AbortSignal): Promise<StoredBundleRef>;
  /** The plain content, or undefined where it is not stored. */
  read(digest: Digest, signal: AbortSignal): Promise<Uint8Array | undefined>;
  has(digest: Digest, signal: AbortSignal): Promise<boolean>;
  /** Forgets what it has seen to be stored: at the start of a term the store may be another. */
  forget(): void;
}

/** Crypto of desired states. */
export interface DesiredCrypto {
  gzip(bytes: Uint8Array): Uint8Array;
  gunzip(bytes: Uint8Array, limit: number): Uint8Array;
  /** Ed25519 by the hub's current signing key. */
  sign(bytes: Uint8Array): { readonly keyId: string; readonly signature: Uint8Array };
  verify(bytes: Uint8Array, signature: { readonly keyId: string; readonly signature: Uint8Array }): boolean;
  sha256(bytes: Uint8Array): Digest;
  /** The bundle's key, sealed to the X25519 public key (hex). */
  seal(bundle: StoredBundleRef, recipient: { readonly sealingKey: string; readonly cluster: ClusterId }): SealedKey;
}

/** Tells an agent that its desired state has this revision; may be lost. */
export interface Hinter {
  hint(cluster: ClusterId, revision: bigint): void;
}
