import type { CacheHead, Extent } from "./model.ts";

/** What a commit wants of the cache. */
export interface PackInput {
  /** Names of entries to keep; all others are forgotten. */
  readonly keep: ReadonlySet<string>;
  /** New entries with their sizes in bytes; one of a kept name takes its place. */
  readonly add: ReadonlyMap<string, number>;
  /** Most bytes of a piece, at least 1. */
  readonly limit: number;
  /** A name for the n-th new piece, never used before. */
  readonly nameOf: (n: number) => string;
}

/** A run of bytes of a new piece: from an added entry, or from where a kept one stood. */
export interface PackedPart {
  readonly entry: string;
  /** Where the run begins in the entry. */
  readonly from: number;
  readonly length: number;
}

/** The new layout. Pieces are never changed: they are written whole, and dropped whole. */
export interface PackPlan {
  readonly entries: ReadonlyMap<string, readonly Extent[]>;
  readonly pieces: ReadonlyMap<string, number>;
  /** New pieces by name. */
  readonly write: ReadonlyMap<string, readonly PackedPart[]>;
  /** Pieces that the new layout does not name. */
  readonly drop: readonly string[];
}

/** A piece of which less than this share is still wanted is emptied into new ones. */
const worthKeeping = 0.5;

/**
 * Lays out the cache anew: small entries share pieces, large ones span several, added and moved entries go into new
 * pieces in a stable order. Nothing moves where nothing is added.
 */
export function pack(head: Pick<CacheHead, "entries" | "pieces">, input: PackInput): PackPlan {
  const kept = new Map([...head.entries].filter(([name]) => input.keep.has(name) && !input.add.has(name)));
  const moving = input.add.size === 0 ? new Set<string>() : moved(kept, head.pieces);
  const sizes = new Map(input.add);
  for (const name of moving) sizes.set(name, sizeOf(kept.get(name) ?? []));
  const laid = lay(sizes, input);
  const entries = new Map([...kept].filter(([name]) => !moving.has(name)));
  for (const [name, extents] of laid.entries) entries.set(name, extents);
  const named = new Set([...entries.values()].flatMap((extents) => extents.map(({ piece }) => piece)));
  const pieces = new Map([...head.pieces, ...laid.pieces].filter(([name]) => named.has(name)));
  return { entries, pieces, write: laid.write, drop: [...head.pieces.keys()].filter((name) => !named.has(name)) };
}

/** Bytes of an entry. */
export function sizeOf(extents: readonly Extent[]): number {
  return extents.reduce((sum, { length }) => sum + length, 0);
}

/** Entries that stand wholly in pieces that are not worth keeping. */
function moved(kept: ReadonlyMap<string, readonly Extent[]>, pieces: ReadonlyMap<string, number>): Set<string> {
  const live = new Map<string, number>();
  for (const { piece, length } of [...kept.values()].flat()) live.set(piece, (live.get(piece) ?? 0) + length);
  const poor = (piece: string) => (live.get(piece) ?? 0) < (pieces.get(piece) ?? 0) * worthKeeping;
  return new Set([...kept].filter(([, extents]) => extents.every(({ piece }) => poor(piece))).map(([name]) => name));
}

function lay(sizes: ReadonlyMap<string, number>, input: Pick<PackInput, "limit" | "nameOf">) {
  const entries = new Map<string, Extent[]>();
  const pieces = new Map<string, number>();
  const write = new Map<string, PackedPart[]>();
  let current: { name: string; parts: PackedPart[]; used: number } | undefined;
  const room = () => {
    if (current === undefined || current.used >= input.limit) {
      current = { name: input.nameOf(write.size), parts: [], used: 0 };
      write.set(current.name, current.parts);
    }
    return current;
  };
  for (const [entry, size] of sizes) {
    const extents: Extent[] = [];
    // A small entry is not torn apart for the sake of a full piece.
    if (current !== undefined && size <= input.limit && current.used + size > input.limit) current = undefined;
    for (let from = 0; from < size || extents.length === 0; ) {
      const piece = room();
      const length = Math.min(size - from, input.limit - piece.used);
      extents.push({ piece: piece.name, offset: piece.used, length });
      piece.parts.push({ entry, from, length });
      piece.used += length;
      pieces.set(piece.name, piece.used);
      from += length;
    }
    entries.set(entry, extents);
  }
  return { entries, pieces, write };
}
