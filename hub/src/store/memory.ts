import { Fault } from "@capstan/proto";
import type {
  AuditFilter,
  AuditRow,
  Continuity,
  Entry,
  Fence,
  RecordEntry,
  StoredBundle,
  Stores,
  Write,
} from "./port.ts";

/** How a memory store behaves. */
export interface MemoryStoreOptions {
  /** Without one, every write is the leader's. */
  readonly fence?: Fence;
  /** What `Memory.continuity` says until accepted; `same` unless given. */
  readonly continuity?: Continuity;
  /** For `StoredBundle.storedAt`. */
  readonly now?: () => number;
}

interface Message {
  readonly subject: string;
  readonly value: Uint8Array;
  readonly sequence: bigint;
}

/** A store in memory with the contract of `port.ts`, for tests and simulations; nothing survives it. */
export class MemoryStore implements Stores {
  readonly #options: MemoryStoreOptions;
  readonly #entries = new Map<string, Entry>();
  readonly #records: Message[] = [];
  readonly #bundles = new Map<string, { chunks: Uint8Array[]; storedAt: number }>();
  readonly #audit: Message[] = [];
  #sequence = 0n;
  #continuity: Continuity;
  /** Every hint published, oldest first. */
  readonly published: { cluster: string; revision: bigint }[] = [];

  constructor(options: MemoryStoreOptions = {}) {
    this.#options = options;
    this.#continuity = options.continuity ?? "same";
  }

  readonly state = {
    get: async (key: string, signal: AbortSignal): Promise<Entry | undefined> => {
      signal.throwIfAborted();
      return copied(this.#entries.get(key));
    },
    list: async (prefix: string, signal: AbortSignal): Promise<Entry[]> => {
      signal.throwIfAborted();
      return [...this.#entries.values()].filter((e) => e.key.startsWith(prefix)).map((e) => copied(e));
    },
    put: async (key: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> => {
      signal.throwIfAborted();
      this.#assertLeading();
      this.#entries.delete(key);
      this.#sequence += 1n;
      this.#entries.set(key, { key, value: value.slice(), revision: this.#sequence });
      return this.#sequence;
    },
    putMany: async (writes: readonly Write[], signal: AbortSignal): Promise<bigint[]> =>
      Promise.all(writes.map((write) => this.state.put(write.key, write.value, signal))),
    delete: async (key: string, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted();
      this.#assertLeading();
      if (this.#entries.delete(key)) this.#sequence += 1n;
    },
  };

  readonly records = {
    append: async (rollout: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> => {
      signal.throwIfAborted();
      return append(this.#records, rollout, value);
    },
    read: async (rollout: string, signal: AbortSignal): Promise<RecordEntry[]> => {
      signal.throwIfAborted();
      return this.#records
        .filter((m) => m.subject === rollout)
        .map(({ sequence, value }) => ({ sequence, value: value.slice() }));
    },
  };

  readonly bundles = {
    put: async (digestHex: string, chunks: readonly Uint8Array[], signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted();
      const storedAt = this.#options.now?.() ?? 0;
      this.#bundles.set(digestHex, { chunks: chunks.map((chunk) => chunk.slice()), storedAt });
    },
    has: async (digestHex: string, signal: AbortSignal): Promise<boolean> => {
      signal.throwIfAborted();
      return this.#bundles.has(digestHex);
    },
    get: async (digestHex: string, signal: AbortSignal): Promise<Uint8Array[] | undefined> => {
      signal.throwIfAborted();
      return this.#bundles.get(digestHex)?.chunks.map((chunk) => chunk.slice());
    },
    chunk: async (digestHex: string, index: number, signal: AbortSignal): Promise<Uint8Array | undefined> => {
      signal.throwIfAborted();
      return this.#bundles.get(digestHex)?.chunks[index]?.slice();
    },
    digests: async (signal: AbortSignal): Promise<StoredBundle[]> => {
      signal.throwIfAborted();
      return [...this.#bundles].map(([hex, { storedAt }]) => ({ hex, storedAt }));
    },
    delete: async (digestHex: string, signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted();
      this.#assertLeading();
      this.#bundles.delete(digestHex);
    },
  };

  readonly audit = {
    append: async (actorToken: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> => {
      signal.throwIfAborted();
      return append(this.#audit, actorToken, value);
    },
    read: async (filter: AuditFilter, signal: AbortSignal): Promise<AuditRow[]> => {
      signal.throwIfAborted();
      const rows = this.#audit
        .filter((m) => filter.actorToken === undefined || m.subject === filter.actorToken)
        .filter((m) => m.sequence > (filter.after ?? 0n))
        .map((m) => ({ sequence: m.sequence, actorToken: m.subject, value: m.value.slice() }));
      return filter.last === undefined ? rows : rows.slice(Math.max(0, rows.length - filter.last));
    },
  };

  readonly hints = {
    publish: (cluster: string, revision: bigint): void => {
      this.published.push({ cluster, revision });
    },
  };

  readonly memory = {
    continuity: async (signal: AbortSignal): Promise<Continuity> => {
      signal.throwIfAborted();
      return this.#continuity;
    },
    accept: async (signal: AbortSignal): Promise<void> => {
      signal.throwIfAborted();
      this.#continuity = "same";
    },
  };

  #assertLeading(): void {
    if (this.#options.fence !== undefined && this.#options.fence.current() === undefined) {
      throw new Fault("not-leader", { message: "expected to hold the lease for this write, found that we do not." });
    }
  }
}

function copied<T extends Entry | undefined>(entry: T): T {
  return (entry === undefined ? undefined : { ...entry, value: entry.value.slice() }) as T;
}

function append(messages: Message[], subject: string, value: Uint8Array): bigint {
  const sequence = BigInt(messages.length + 1);
  messages.push({ subject, value: value.slice(), sequence });
  return sequence;
}
