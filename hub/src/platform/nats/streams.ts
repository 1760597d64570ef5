import type { JetStreamManager, NatsConnection, StreamConfig } from "nats";
import { knowsBatches } from "./batch.ts";
import { natsFault } from "./publish.ts";

/** The hub's four streams (design §3.1). */
export const streamNames = { state: "KV_state", records: "records", bundles: "bundles", audit: "audit" } as const;

/** How the streams are kept. */
export interface StreamOptions {
  /** Copies, 1 to 5. */
  readonly replicas: number;
  /** Milliseconds that records and audit entries are kept. */
  readonly keepFor: number;
}

/** 400 days (design §4). */
export const defaultKeepFor = 400 * 24 * 3600 * 1000;

/** Makes the streams that are missing and brings the others to the wanted settings. */
export async function ensureStreams(connection: NatsConnection, options: StreamOptions): Promise<void> {
  try {
    const manager = await connection.jetstreamManager();
    const atomic = knowsBatches(connection);
    for (const config of streamConfigs(options, atomic)) await ensureStream(manager, config);
  } catch (thrown) {
    throw natsFault(thrown);
  }
}

async function ensureStream(
  manager: JetStreamManager,
  config: Partial<StreamConfig> & { name: string },
): Promise<void> {
  try {
    const { config: found } = await manager.streams.info(config.name);
    const atomic = (stream: object) => "allow_atomic" in stream && stream.allow_atomic === true;
    const sameKeeping = found.num_replicas === config.num_replicas && found.max_age === (config.max_age ?? 0);
    const same = sameKeeping && atomic(found) === atomic(config);
    if (!same) await manager.streams.update(config.name, config);
  } catch (thrown) {
    if (!isStreamMissing(thrown)) throw thrown;
    await manager.streams.add(config);
  }
}

/** Whether a failed call says that the stream is not there (and not that nobody answered). */
export function isStreamMissing(thrown: unknown): boolean {
  const error = (thrown as { api_error?: { err_code?: number } } | undefined)?.api_error;
  return error?.err_code === 10059;
}

function streamConfigs(
  { replicas, keepFor }: StreamOptions,
  atomic: boolean,
): (Partial<StreamConfig> & { name: string })[] {
  const common = { num_replicas: replicas, storage: "file", retention: "limits", allow_direct: true } as StreamConfig;
  const nanos = keepFor * 1_000_000;
  return [
    {
      ...common,
      name: streamNames.state,
      subjects: ["$KV.state.>"],
      max_msgs_per_subject: 1,
      allow_rollup_hdrs: true,
      deny_delete: true,
      // Markers of deleted keys go after a while.
      ...{ allow_msg_ttl: true },
      ...(atomic ? { allow_atomic: true } : {}),
    },
    { ...common, name: streamNames.records, subjects: ["record.>"], max_age: nanos },
    { ...common, name: streamNames.bundles, subjects: ["bundle.>"], max_msgs_per_subject: 1 },
    { ...common, name: streamNames.audit, subjects: ["audit.>"], max_age: nanos, deny_delete: true, deny_purge: true },
  ];
}
