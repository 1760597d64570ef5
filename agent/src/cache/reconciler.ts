import { Fault, limits } from "@capstan/proto";
import { parseHead, printHead } from "./head.ts";
import { type CacheHead, type Extent, emptyHead, type TargetMemory } from "./model.ts";
import { type PackPlan, pack } from "./pack.ts";
import type { SecretStore } from "./port.ts";

/** What the cache works with. */
export interface CachePorts {
  readonly store: SecretStore;
  gzip(bytes: Uint8Array): Promise<Uint8Array>;
  gunzip(bytes: Uint8Array, max: number): Uint8Array;
  /** Distinguishes this process's pieces from those of all others: lower-case, fit for a name. */
  readonly bootId: string;
}

/** What one commit changes. Absent fields stay as they are. */
export interface CacheChange {
  /** Raised to this, never lowered. */
  readonly highWater?: bigint;
  /** New entries. */
  readonly put?: ReadonlyMap<string, Uint8Array>;
  /** Names of all entries to be kept besides the new ones; absent: all. */
  readonly keep?: ReadonlySet<string>;
  /** Memories to replace; `undefined` forgets. */
  readonly targets?: ReadonlyMap<string, TargetMemory | undefined>;
}

const headName = "capstan-cache-head";
const headKey = "head";
const pieceKey = "piece";
const part = "cache";
const piecesAtHand = 3;
const headBytes = 16 * 1024 * 1024;

/**
 * The last-known-good cache in the cluster (promise 5): pieces are immutable Secrets, the head Secret names what of them
 * is meant and is written last, by compare-and-set. A crash between leaves rubbish that the next load removes. All writes
 * go one after another; those that wait are joined. A `conflict` means that another agent writes: this one must end.
 */
export class ClusterCache {
  readonly #ports: CachePorts;
  readonly #atHand = new Map<string, Uint8Array>();
  #head: CacheHead = emptyHead;
  #resourceVersion: string | undefined;
  #made = 0;
  #waiting: { change: CacheChange; done: Promise<void> } | undefined;
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: CachePorts) {
    this.#ports = ports;
  }

  get head(): CacheHead {
    return this.#head;
  }

  /** Reads the head and removes pieces that nothing names. */
  async load(signal: AbortSignal): Promise<void> {
    const record = await this.#ports.store.get(headName, signal);
    this.#resourceVersion = record?.resourceVersion;
    const bytes = record?.data[headKey];
    this.#head =
      bytes === undefined ? emptyHead : parseHead(new TextDecoder().decode(this.#ports.gunzip(bytes, headBytes)));
    const names = await this.#ports.store.list(part, signal);
    const rubbish = names.filter((name) => name !== headName && !this.#head.pieces.has(name));
    for (const name of rubbish) await this.#ports.store.delete(name, signal);
  }

  /** An entry's bytes, or undefined where the cache does not hold it. */
  async get(name: string, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const extents = this.#head.entries.get(name);
    if (extents === undefined) return undefined;
    const runs: Uint8Array[] = [];
    for (const extent of extents) {
      const run = await this.#run(extent, signal);
      if (run === undefined) return undefined;
      runs.push(run);
    }
    return runs.length === 1 ? runs[0] : joined(runs);
  }

  /** Changes what is stored; durable when it resolves. */
  commit(change: CacheChange, signal: AbortSignal): Promise<void> {
    if (this.#waiting !== undefined) {
      this.#waiting.change = merged(this.#waiting.change, change);
      return this.#waiting.done;
    }
    const before = this.#writing;
    const done = before
      .catch(() => undefined) // whoever asked for that write was told
      .then(() => {
        const next = this.#waiting?.change ?? change;
        this.#waiting = undefined;
        return this.#write(next, signal);
      });
    this.#waiting = { change, done };
    this.#writing = done;
    return done;
  }

  async #write(change: CacheChange, signal: AbortSignal): Promise<void> {
    const put = change.put ?? new Map<string, Uint8Array>();
    const plan = pack(this.#head, {
      keep: change.keep ?? new Set(this.#head.entries.keys()),
      add: new Map([...put].map(([name, bytes]) => [name, bytes.length])),
      limit: limits.cachePieceBytes,
      nameOf: (n) => `capstan-cache-${this.#ports.bootId}-${this.#made + n}`,
    });
    await this.#writePieces(plan, put, signal);
    this.#made += plan.write.size;
    await this.#writeHead({ ...changed(this.#head, change), entries: plan.entries, pieces: plan.pieces }, signal);
    for (const name of plan.drop) {
      this.#atHand.delete(name);
      // Left behind at worst: the next load removes it.
      await this.#ports.store.delete(name, signal).catch(() => undefined);
    }
  }

  async #writePieces(plan: PackPlan, put: ReadonlyMap<string, Uint8Array>, signal: AbortSignal): Promise<void> {
    for (const [name, parts] of plan.write) {
      const runs: Uint8Array[] = [];
      for (const { entry, from, length } of parts) {
        const bytes = put.get(entry) ?? (await this.get(entry, signal));
        if (bytes === undefined) throw new Fault("internal", { message: `the cache lost entry ${entry}.` });
        runs.push(bytes.subarray(from, from + length));
      }
      const piece = joined(runs);
      await this.#ports.store.put({ name, part, data: { [pieceKey]: piece } }, undefined, signal);
      this.#hold(name, piece);
    }
  }

  async #writeHead(head: CacheHead, signal: AbortSignal): Promise<void> {
    const bytes = await this.#ports.gzip(new TextEncoder().encode(printHead(head)));
    const record = { name: headName, part, data: { [headKey]: bytes } };
    const stored = await this.#ports.store.put(record, this.#resourceVersion, signal);
    this.#resourceVersion = stored.resourceVersion;
    this.#head = head;
  }

  async #run({ piece, offset, length }: Extent, signal: AbortSignal): Promise<Uint8Array | undefined> {
    const bytes = this.#atHand.get(piece) ?? (await this.#ports.store.get(piece, signal))?.data[pieceKey];
    if (bytes === undefined) return undefined;
    this.#hold(piece, bytes);
    return bytes.subarray(offset, offset + length);
  }

  #hold(piece: string, bytes: Uint8Array): void {
    this.#atHand.delete(piece);
    this.#atHand.set(piece, bytes);
    for (const oldest of this.#atHand.keys()) {
      if (this.#atHand.size <= piecesAtHand) return;
      this.#atHand.delete(oldest);
    }
  }
}

function changed(head: CacheHead, change: CacheChange): CacheHead {
  const targets = new Map(head.targets);
  for (const [name, memory] of change.targets ?? []) {
    if (memory === undefined) targets.delete(name);
    else targets.set(name, memory);
  }
  const { highWater = head.highWater } = change;
  return { ...head, targets, highWater: highWater > head.highWater ? highWater : head.highWater };
}

/** Two changes as one. What the earlier one wanted gone stays gone unless the later one puts it back. */
function merged(first: CacheChange, second: CacheChange): CacheChange {
  const keep =
    first.keep === undefined || second.keep === undefined
      ? (first.keep ?? second.keep)
      : new Set([...first.keep, ...(first.put?.keys() ?? [])].filter((name) => second.keep?.has(name)));
  const kept = second.keep ?? keep;
  const put = new Map([...(first.put ?? [])].filter(([name]) => second.keep === undefined || kept?.has(name)));
  for (const [name, bytes] of second.put ?? []) put.set(name, bytes);
  const highest = [first.highWater, second.highWater].filter((one) => one !== undefined);
  return {
    ...(highest.length === 0 ? {} : { highWater: highest.reduce((a, b) => (a > b ? a : b)) }),
    ...(keep === undefined ? {} : { keep }),
    put,
    targets: new Map([...(first.targets ?? []), ...(second.targets ?? [])]),
  };
}

function joined(runs: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(runs.reduce((sum, run) => sum + run.length, 0));
  let at = 0;
  for (const run of runs) {
    bytes.set(run, at);
    at += run.length;
  }
  return bytes;
}
