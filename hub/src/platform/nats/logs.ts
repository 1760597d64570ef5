import { randomUUID } from "node:crypto";
import { Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import { decodeToken, encodeToken } from "../../store/keys.ts";
import type { AuditFilter, AuditLog, AuditRow, Hints, RecordEntry, RecordLog } from "../../store/port.ts";
import { pack, unpack } from "./pack.ts";
import { publish, request } from "./publish.ts";
import { type ReadFrom, readAll, readHistory } from "./read.ts";
import { streamNames } from "./streams.ts";

/** Appends one message. A try that went unanswered is repeated under the same id, which the server stores only once. */
async function append(
  connection: NatsConnection,
  message: { readonly subject: string; readonly value: Uint8Array },
  signal: AbortSignal,
): Promise<bigint> {
  const { value, headers } = await pack(message.value, message.subject);
  const publication = { subject: message.subject, value, headers: { ...headers, "Nats-Msg-Id": randomUUID() } };
  try {
    return sequenceOf(await publish(connection, publication, signal));
  } catch (thrown) {
    if (!(thrown instanceof Fault) || (thrown.code !== "timeout" && thrown.code !== "store-unavailable")) throw thrown;
    return sequenceOf(await publish(connection, publication, signal));
  }
}

function sequenceOf(answer: Awaited<ReturnType<typeof publish>>): bigint {
  if (answer.kind === "stored") return answer.sequence;
  throw new Fault("internal", { message: "expected no condition on an append, found one refused." });
}

/** Stream `records`. */
export class NatsRecordLog implements RecordLog {
  readonly #from: ReadFrom;

  constructor(connection: NatsConnection, replicas: number) {
    this.#from = { connection, stream: streamNames.records, replicas };
  }

  append(rollout: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> {
    return append(this.#from.connection, { subject: `record.${encodeToken(rollout)}`, value }, signal);
  }

  async read(rollout: string, signal: AbortSignal): Promise<RecordEntry[]> {
    const messages = await readHistory(this.#from, `record.${encodeToken(rollout)}`, signal);
    return Promise.all(messages.map(async (message) => ({ sequence: message.sequence, value: await unpack(message) })));
  }
}

/** Stream `audit`. */
export class NatsAuditLog implements AuditLog {
  readonly #from: ReadFrom;

  constructor(connection: NatsConnection, replicas: number) {
    this.#from = { connection, stream: streamNames.audit, replicas };
  }

  append(actorToken: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> {
    return append(this.#from.connection, { subject: `audit.${encodeToken(actorToken)}`, value }, signal);
  }

  async read(filter: AuditFilter, signal: AbortSignal): Promise<AuditRow[]> {
    const subject = filter.actorToken === undefined ? "audit.>" : `audit.${encodeToken(filter.actorToken)}`;
    const from = await this.#start(filter, signal);
    const messages = await readAll(this.#from, { subject, from }, signal);
    const rows = await Promise.all(
      messages.map(async (message) => ({
        sequence: message.sequence,
        actorToken: decodeToken(message.subject.slice("audit.".length)),
        value: await unpack(message),
      })),
    );
    return filter.last === undefined ? rows : rows.slice(Math.max(0, rows.length - filter.last));
  }

  /** Where to begin: the newest entries of all actors need no reading from the start. */
  async #start(filter: AuditFilter, signal: AbortSignal): Promise<bigint> {
    const after = (filter.after ?? 0n) + 1n;
    if (filter.last === undefined || filter.actorToken !== undefined) return after;
    const subject = `$JS.API.STREAM.INFO.${streamNames.audit}`;
    const info = await request(this.#from.connection, { subject, value: new Uint8Array() }, signal);
    const state = info["state"] as { last_seq?: number } | undefined;
    const start = BigInt(state?.last_seq ?? 0) - BigInt(filter.last) + 1n;
    return start > after ? start : after;
  }
}

/** Core subjects `hint.<cluster>`; the payload is the revision in decimal. */
export class NatsHints implements Hints {
  readonly #connection: NatsConnection;

  constructor(connection: NatsConnection) {
    this.#connection = connection;
  }

  publish(cluster: string, revision: bigint): void {
    if (this.#connection.isClosed()) return;
    this.#connection.publish(`hint.${cluster}`, String(revision));
  }
}
