import type { Digest } from "@capstan/proto";
import type { SealedKey, SignedDesiredState } from "@capstan/proto/desired";

/**
 * The level-triggered reads, over NATS or gRPC. Faults: `hub-unreachable` where neither answers, `not-found` for a chunk
 * that is not stored.
 */
export interface DesiredSource {
  /** The cluster's desired state as it is stored now; undefined where there is none. May be stale. */
  read(signal: AbortSignal): Promise<SignedDesiredState | undefined>;
  /** Chunk `n` of a bundle's envelope. */
  chunk(digest: Digest, n: number, signal: AbortSignal): Promise<Uint8Array>;
}

/** Opening what a hub sealed, and bounded (de)compression. */
export interface BundleCrypto {
  /** The 32-byte content key, with any of these X25519 private keys. Throws `signature-refused` when none fits. */
  unseal(key: SealedKey, context: string, privateKeys: readonly string[]): Uint8Array;
  /** AES-256-GCM; throws `digest-mismatch` when key, nonce, context or bytes do not belong together. */
  decrypt(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, context: string): Uint8Array;
  /** Throws `too-large` beyond `max` bytes, `digest-mismatch` for broken data. */
  gunzip(bytes: Uint8Array, max: number): Uint8Array;
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  /** SHA-256 as a digest, and the size, of what a gzip holds, without ever holding all of it; `too-large` beyond `max`. */
  digestOf(gzip: Uint8Array, max: number): Promise<{ readonly digest: Digest; readonly size: number }>;
  /** The lines of what a gzip holds, one at a time, without their ends; empty ones are left out. */
  lines(gzip: Uint8Array): AsyncIterable<string>;
}

/** The cache in the cluster, as the holder of the state sees it. */
export interface Shelf {
  readonly highWater: bigint;
  has(entry: string): boolean;
  get(entry: string, signal: AbortSignal): Promise<Uint8Array | undefined>;
  /** Durable when it resolves. `keep` names all that stays besides `put`; absent: everything. */
  commit(
    change: {
      readonly highWater?: bigint;
      readonly put: ReadonlyMap<string, Uint8Array>;
      readonly keep?: ReadonlySet<string>;
    },
    signal: AbortSignal,
  ): Promise<void>;
  /** Bundles that the targets may still go back to. */
  reserve(): Iterable<string>;
}
