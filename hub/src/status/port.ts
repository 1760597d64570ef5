import type { ClusterId } from "@capstan/proto";

/** Where statuses are kept: key `status.<cluster>`. */
export interface StatusStore {
  load(signal: AbortSignal): Promise<ReadonlyMap<ClusterId, Uint8Array>>;
  /** Many in flight at once; resolves when all are durable. */
  saveAll(writes: ReadonlyMap<ClusterId, Uint8Array>, signal: AbortSignal): Promise<void>;
  delete(cluster: ClusterId, signal: AbortSignal): Promise<void>;
}
