import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClusterId, type Instant, type TargetKey, targetKey } from "@capstan/proto";
import { ReportBatchSchema } from "@capstan/proto/agent";
import type { ClusterStatus, TargetStatus } from "./model.ts";

/** What is the hub's own in the value of `status.<cluster>`; the reports follow as a `ReportBatch`. */
interface Head {
  readonly bootId: string;
  readonly lastSeen: Instant;
  /** `[reportedAt, healthSince]` of each report, in its order. */
  readonly times: readonly (readonly [Instant, Instant])[];
}

/** The value of key `status.<cluster>`: 4 bytes length of the head, the head as JSON, a `ReportBatch`. */
export function encodeStatus(status: ClusterStatus): Uint8Array {
  const all = [...status.targets.values()];
  const head: Head = {
    bootId: status.bootId,
    lastSeen: status.lastSeen,
    times: all.map(({ reportedAt, healthSince }) => [reportedAt, healthSince] as const),
  };
  const batch = create(ReportBatchSchema, {
    sequence: status.sequence,
    revision: status.heldRevision,
    ...(status.refused === undefined ? {} : { refused: status.refused }),
  });
  batch.reports = all.map(({ report }) => report);
  const headBytes = new TextEncoder().encode(JSON.stringify(head));
  const batchBytes = toBinary(ReportBatchSchema, batch);
  const bytes = new Uint8Array(4 + headBytes.length + batchBytes.length);
  new DataView(bytes.buffer).setUint32(0, headBytes.length);
  bytes.set(headBytes, 4);
  bytes.set(batchBytes, 4 + headBytes.length);
  return bytes;
}

/** The reverse of `encodeStatus`. */
export function decodeStatus(cluster: ClusterId, bytes: Uint8Array): ClusterStatus {
  const headEnd = 4 + new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0);
  const head = JSON.parse(new TextDecoder().decode(bytes.subarray(4, headEnd))) as Head;
  const batch = fromBinary(ReportBatchSchema, bytes.subarray(headEnd));
  const targets = new Map<TargetKey, TargetStatus>();
  for (const [index, report] of batch.reports.entries()) {
    const [reportedAt, healthSince] = head.times[index] ?? [0, 0];
    targets.set(targetKey(report.namespace, report.name), { report, reportedAt, healthSince });
  }
  return {
    cluster,
    bootId: head.bootId,
    sequence: batch.sequence,
    lastSeen: head.lastSeen,
    heldRevision: batch.revision,
    refused: batch.refused,
    targets,
  };
}
