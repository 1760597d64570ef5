/** One key of the state bucket as it stands. */
export interface Entry {
  /** Built by `stateKey`. */
  readonly key: string;
  readonly value: Uint8Array;
  /** The stream sequence of the write: grows with every write of any key. */
  readonly revision: bigint;
}

/** One key to be written. */
export interface Write {
  readonly key: string;
  readonly value: Uint8Array;
}

/**
 * What the hub decided and learned (bucket `state`). Reads are consistent: they see every write acknowledged before.
 * Writes are fenced by the lease: `not-leader` when the fence refuses, and then nothing was written.
 * Limits: a value takes at most 1,000,000 bytes on the wire (`too-large`); keys other than `desired.` are deflated first,
 * so that documents of several megabytes pass. Faults: `store-unavailable`, `store-full`, `timeout`.
 */
export interface StateStore {
  get(key: string, signal: AbortSignal): Promise<Entry | undefined>;
  /** All keys under a dotted prefix that ends in a dot (`statePrefix`), oldest write first. */
  list(prefix: string, signal: AbortSignal): Promise<Entry[]>;
  /** The revision of the write. */
  put(key: string, value: Uint8Array, signal: AbortSignal): Promise<bigint>;
  /**
   * Many writes at once: in atomic batches of up to 1,000 where the server knows them (2.12), else all in flight. On a fault
   * some batches may stand. Revisions in the order given. Name each key once.
   */
  putMany(writes: readonly Write[], signal: AbortSignal): Promise<bigint[]>;
  /** A missing key is no error. */
  delete(key: string, signal: AbortSignal): Promise<void>;
}

/** One record and where it stands; the rollout's head key names the last sequence that counts. */
export interface RecordEntry {
  readonly sequence: bigint;
  readonly value: Uint8Array;
}

/**
 * The append-only truth of rollouts (stream `records`). Not fenced by the server: a record counts only once the fenced
 * key `head.<rollout>` names its sequence.
 */
export interface RecordLog {
  append(rollout: string, value: Uint8Array, signal: AbortSignal): Promise<bigint>;
  /** In the order of appending. */
  read(rollout: string, signal: AbortSignal): Promise<RecordEntry[]>;
}

/** A complete bundle (its chunk 0 is there). */
export interface StoredBundle {
  readonly hex: string;
  /** Milliseconds since 1970 by the server's clock, of the last complete put. */
  readonly storedAt: number;
}

/**
 * Encrypted bundles by the hex of their digest (stream `bundles`), in chunks of at most 128 KiB. Chunk 0 is written last,
 * so a bundle with a chunk 0 is whole. Writing the same digest again is harmless.
 */
export interface BundleStore {
  put(digestHex: string, chunks: readonly Uint8Array[], signal: AbortSignal): Promise<void>;
  has(digestHex: string, signal: AbortSignal): Promise<boolean>;
  get(digestHex: string, signal: AbortSignal): Promise<Uint8Array[] | undefined>;
  /** One chunk alone, for passing on. */
  chunk(digestHex: string, index: number, signal: AbortSignal): Promise<Uint8Array | undefined>;
  digests(signal: AbortSignal): Promise<StoredBundle[]>;
  /** Asks the server first whether the lease is still ours: `not-leader` otherwise. */
  delete(digestHex: string, signal: AbortSignal): Promise<void>;
}

/** Which audit entries to read; absent fields do not narrow. */
export interface AuditFilter {
  readonly actorToken?: string;
  /** Only entries after this sequence. */
  readonly after?: bigint;
  /** Only the newest so many of them. */
  readonly last?: number;
}

/** One audit entry and where it stands. */
export interface AuditRow {
  readonly sequence: bigint;
  readonly actorToken: string;
  readonly value: Uint8Array;
}

/** The audit trail (stream `audit`). */
export interface AuditLog {
  append(actorToken: string, value: Uint8Array, signal: AbortSignal): Promise<bigint>;
  /** In the order of appending. */
  read(filter: AuditFilter, signal: AbortSignal): Promise<AuditRow[]>;
}

/** Fire and forget: "your desired state has this revision". A lost hint costs at most one poll. */
export interface Hints {
  publish(cluster: string, revision: bigint): void;
}

/**
 * What the hub's own disk remembers against what the store holds: `same`: nothing missing; `older`: the same store, set
 * back to an earlier copy; `lost`: its streams were lost and made anew; `unknown`: this hub has no memory of any store.
 */
export type Continuity = "same" | "older" | "lost" | "unknown";

/** The memory of the store's past, on the hub's own disk. */
export interface Memory {
  /** Compared afresh at each call. Ask at the start of every term. */
  continuity(signal: AbortSignal): Promise<Continuity>;
  /** Takes what stands in the store as the truth from now on: after a rebuild began, or on a first start. */
  accept(signal: AbortSignal): Promise<void>;
}

/** The lease's sequence as its holder knows it: the fence of every write to `state`. */
export interface Fence {
  readonly shard: string;
  /** Undefined while this hub does not lead. */
  current(): bigint | undefined;
  /** After a renewal under way has settled: the sequence that holds then. */
  settled(signal: AbortSignal): Promise<bigint | undefined>;
}

/** All stores of one hub, as `platform/nats` and the memory store offer them. */
export interface Stores {
  readonly state: StateStore;
  readonly records: RecordLog;
  readonly bundles: BundleStore;
  readonly audit: AuditLog;
  readonly hints: Hints;
  readonly memory: Memory;
}

/** Small facts about the fleet as a whole, key `fleet.<name>`. */
export interface FleetNotes {
  read<T>(name: string, signal: AbortSignal): Promise<T | undefined>;
  write(name: string, value: unknown, signal: AbortSignal): Promise<void>;
  delete(name: string, signal: AbortSignal): Promise<void>;
}
