/**
 * The cache: the last accepted state and its bundles, as Secrets of the agent's own namespace, so that it goes on with
 * hub and NATS gone. Pieces are written first and are never changed; the head names them and is written last, by
 * compare-and-set.
 */
import type { Digest, Instant } from "@capstan/proto";

/** Where an entry stands: byte ranges of pieces, in order (more than one where it is larger than a piece). */
export interface Extent {
  readonly piece: string;
  readonly offset: number;
  readonly length: number;
}

/** What the cache remembers of a target besides its bundles. */
export interface TargetMemory {
  /** The bundle before the one that is current, once that one was applied: what a local rollback goes back to. */
  readonly previous?: Digest;
  /** The bundle last seen healthy; becomes `previous` when another one follows. */
  readonly good?: Digest;
  /** Last operation id carried out. */
  readonly operation?: string;
  /**
   * After a local rollback: the generation that was left. No retry of it before a higher one comes, or a person asks for it.
   * `done`: false until the bundle before is applied whole.
   */
  readonly rolledBack?: { readonly generation: number; readonly at: Instant; readonly done?: boolean };
  /** When the generation's apply began first; the health deadline counts from here. */
  readonly began?: { readonly generation: number; readonly at: Instant };
}

/**
 * The head of the cache: the one thing that is overwritten, by compare-and-set. Whatever it does not name is rubbish.
 * `highWater` never goes down.
 */
export interface CacheHead {
  readonly highWater: bigint;
  /** By entry name (`desired`, or a bundle's digest). */
  readonly entries: ReadonlyMap<string, readonly Extent[]>;
  /** Sizes of the pieces named by `entries`, bytes. */
  readonly pieces: ReadonlyMap<string, number>;
  /** By target key. */
  readonly targets: ReadonlyMap<string, TargetMemory>;
}

/** The head of a cache that holds nothing. */
export const emptyHead: CacheHead = { highWater: 0n, entries: new Map(), pieces: new Map(), targets: new Map() };
