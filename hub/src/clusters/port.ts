import type { ClusterId } from "@capstan/proto";
import type { ClusterRecord } from "./model.ts";

/** Where the registry is kept: key `cluster.<id>`. Writes are fenced (`not-leader`). */
export interface ClusterRecordStore {
  load(signal: AbortSignal): Promise<ClusterRecord[]>;
  save(record: ClusterRecord, signal: AbortSignal): Promise<void>;
  delete(id: ClusterId, signal: AbortSignal): Promise<void>;
}
