import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, type TargetKey, targetKey } from "@capstan/proto";
import { StoredStatusSchema } from "@capstan/proto/stored";
import type { ClusterStatus, TargetStatus } from "./model.ts";

/** The value of key `status.<cluster>`. */
export function encodeStatus(status: ClusterStatus): Uint8Array {
  return toBinary(
    StoredStatusSchema,
    create(StoredStatusSchema, {
      bootId: status.bootId,
      sequence: status.sequence,
      lastSeen: timestampFromMs(status.lastSeen),
      heldRevision: status.heldRevision,
      ...(status.refused === undefined ? {} : { refused: status.refused }),
      targets: [...status.targets.values()].map(({ report, reportedAt, healthSince }) => ({
        report,
        reportedAt: timestampFromMs(reportedAt),
        healthSince: timestampFromMs(healthSince),
      })),
    }),
  );
}

export function decodeStatus(cluster: ClusterId, bytes: Uint8Array): ClusterStatus {
  const stored = fromBinary(StoredStatusSchema, bytes);
  const targets = new Map<TargetKey, TargetStatus>();
  for (const { report, reportedAt, healthSince } of stored.targets) {
    if (report === undefined) continue;
    targets.set(targetKey(report.namespace, report.name), {
      report,
      reportedAt: reportedAt === undefined ? 0 : timestampMs(reportedAt),
      healthSince: healthSince === undefined ? 0 : timestampMs(healthSince),
    });
  }
  return {
    cluster,
    bootId: stored.bootId,
    sequence: stored.sequence,
    lastSeen: stored.lastSeen === undefined ? 0 : timestampMs(stored.lastSeen),
    heldRevision: stored.heldRevision,
    refused: stored.refused,
    targets,
  };
}
