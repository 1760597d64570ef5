import { Fault, parseDigest } from "@capstan/proto";
import { type CacheHead, type Extent, emptyHead, type TargetMemory } from "./model.ts";

const version = 1;

interface PrintedHead {
  readonly version: number;
  readonly highWater: string;
  readonly pieces: readonly (readonly [name: string, size: number])[];
  /** Extents as [index of the piece, offset, length]. */
  readonly entries: Readonly<Record<string, readonly (readonly [number, number, number])[]>>;
  readonly targets: Readonly<Record<string, TargetMemory>>;
}

/** The head as JSON text. */
export function printHead(head: CacheHead): string {
  const pieces = [...head.pieces];
  const index = new Map(pieces.map(([name], at) => [name, at]));
  const short = ({ piece, offset, length }: Extent) => [index.get(piece) ?? -1, offset, length] as const;
  const printed: PrintedHead = {
    version,
    highWater: String(head.highWater),
    pieces,
    entries: Object.fromEntries([...head.entries].map(([name, extents]) => [name, extents.map(short)])),
    targets: Object.fromEntries(head.targets),
  };
  return JSON.stringify(printed);
}

/**
 * The reverse of `printHead`. Of a head in a later version only the high-water revision is read, so that an older agent
 * fetches everything anew but never goes back.
 */
export function parseHead(text: string): CacheHead {
  const printed = readPrinted(text);
  const highWater = BigInt(printed.highWater);
  if (printed.version !== version) return { ...emptyHead, highWater };
  const long = ([at, offset, length]: readonly [number, number, number]): Extent => ({
    piece: printed.pieces[at]?.[0] ?? "",
    offset,
    length,
  });
  return {
    highWater,
    pieces: new Map(printed.pieces),
    entries: new Map(Object.entries(printed.entries).map(([name, extents]) => [name, extents.map(long)])),
    targets: new Map(Object.entries(printed.targets).map(([name, memory]) => [name, checkedMemory(memory)])),
  };
}

function readPrinted(text: string): PrintedHead {
  try {
    const printed = JSON.parse(text) as PrintedHead;
    BigInt(printed.highWater);
    return printed;
  } catch (cause) {
    throw new Fault("bad-input", {
      message: "Secret capstan-cache-head does not hold the head of a cache.",
      next: "See who writes it; if nobody does, delete it: the agent then takes the hub's state as the first one.",
      cause,
    });
  }
}

function checkedMemory(memory: TargetMemory): TargetMemory {
  return {
    ...memory,
    ...(memory.previous === undefined ? {} : { previous: parseDigest(memory.previous) }),
    ...(memory.good === undefined ? {} : { good: parseDigest(memory.good) }),
  };
}
