/** The lease key as the store holds it. */
export interface StoredLease {
  readonly value: Uint8Array;
  readonly sequence: bigint;
}

/** The one key that hubs compete for. Faults: `store-unavailable`, `timeout`. */
export interface LeaseStore {
  /** A consistent read, never from a lagging replica. */
  read(shard: string, signal: AbortSignal): Promise<StoredLease | undefined>;
  /** Compare-and-set on the lease's own sequence, 0 meaning "is not there". Undefined when another write came before. */
  write(shard: string, value: Uint8Array, expected: bigint, signal: AbortSignal): Promise<bigint | undefined>;
}
