import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { type Clock, Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import type { Entry, Fence, StateStore, Write } from "../../store/port.ts";
import { publish } from "./publish.ts";
import { inParallel, type ReadFrom, readEachLast, readLast, type StoredMessage } from "./read.ts";
import { streamNames } from "./streams.ts";

/** What a state store stands on. */
export interface StateOptions {
  readonly connection: NatsConnection;
  readonly replicas: number;
  readonly fence: Fence;
  readonly clock: Clock;
  /** Told of every sequence that the server has acknowledged or shown. */
  observe(sequence: bigint): void;
}

/** Bytes of a value on the wire: NATS' 1 MiB less room for headers. */
export const maxValueBytes = 1_000_000;
const maxInflatedBytes = 64 * 1024 * 1024;
const deflateFrom = 4096;
const encodingHeader = "Capstan-Encoding";
const root = "$KV.state.";
/** Seconds that a deleted key's marker is kept: nobody needs it, but tools that follow the bucket may. */
const markerTtl = "86400";

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** Bucket `state`, each write fenced by the lease. */
export class NatsStateStore implements StateStore {
  readonly #options: StateOptions;
  readonly #from: ReadFrom;

  constructor(options: StateOptions) {
    this.#options = options;
    this.#from = { connection: options.connection, stream: streamNames.state, replicas: options.replicas };
  }

  async get(key: string, signal: AbortSignal): Promise<Entry | undefined> {
    const message = await readLast(this.#from, root + key, signal);
    return message === undefined ? undefined : toEntry(message);
  }

  async list(prefix: string, signal: AbortSignal): Promise<Entry[]> {
    const messages = await readEachLast(this.#from, `${root}${prefix}>`, signal);
    // A key written again while its page was read comes twice: the later one counts.
    const latest = new Map(messages.map((message) => [message.subject, message]));
    const entries = await Promise.all([...latest.values()].map(toEntry));
    return entries.filter((entry) => entry !== undefined).sort((a, b) => (a.revision < b.revision ? -1 : 1));
  }

  async put(key: string, value: Uint8Array, signal: AbortSignal): Promise<bigint> {
    const headers: Record<string, string> = {};
    let bytes = value;
    // Agents read desired states by themselves; their publisher has compressed them already.
    if (value.length >= deflateFrom && !key.startsWith("desired.")) {
      bytes = await deflate(value);
      headers[encodingHeader] = "deflate";
    }
    if (bytes.length > maxValueBytes || value.length > maxInflatedBytes)
      throw tooLarge(key, value.length, bytes.length);
    return this.#write({ key, value: bytes, headers }, signal);
  }

  putMany(writes: readonly Write[], signal: AbortSignal): Promise<bigint[]> {
    // A replicated stream handles one fenced write at a time: more in flight would only be sent back.
    const width = this.#options.replicas > 1 ? 1 : 256;
    return inParallel(writes, width, (write) => this.put(write.key, write.value, signal));
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const headers = { "KV-Operation": "DEL", "Nats-TTL": `${markerTtl}s` };
    await this.#write({ key, value: new Uint8Array(), headers }, signal);
  }

  async #write(
    write: { key: string; value: Uint8Array; headers: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): Promise<bigint> {
    const { connection, fence, clock, observe } = this.#options;
    let lease = fence.current();
    for (;;) {
      if (lease === undefined) throw notLeader("the lease is not ours");
      const headers = {
        ...write.headers,
        "Nats-Expected-Last-Subject-Sequence": String(lease),
        "Nats-Expected-Last-Subject-Sequence-Subject": `${root}lease.${fence.shard}`,
      };
      const answer = await publish(connection, { subject: root + write.key, value: write.value, headers }, signal);
      if (answer.kind === "stored") {
        observe(answer.sequence);
        return answer.sequence;
      }
      if (!answer.certain) {
        await clock.sleep(2, signal);
        lease = fence.current();
        continue;
      }
      // Our own renewal may have moved the lease while this write was on its way: then it goes out once more.
      const now = await fence.settled(signal);
      if (now === lease) throw notLeader(`the server refused a write fenced by lease ${lease}`);
      lease = now;
    }
  }
}

async function toEntry(message: StoredMessage): Promise<Entry | undefined> {
  if (message.header("KV-Operation") !== undefined) return undefined;
  const deflated = message.header(encodingHeader) === "deflate";
  const value = deflated ? await inflate(message.value, { maxOutputLength: maxInflatedBytes }) : message.value;
  return { key: message.subject.slice(root.length), value: new Uint8Array(value), revision: message.sequence };
}

function notLeader(found: string): Fault {
  return new Fault("not-leader", {
    message: `expected to lead while writing, found that ${found}.`,
    next: "Another hub leads: ask it.",
  });
}

function tooLarge(key: string, bytes: number, encoded: number): Fault {
  return new Fault("too-large", {
    message: `expected a value of at most ${maxValueBytes} bytes on the wire, found ${encoded} (${bytes} before compression).`,
    where: { object: key },
    next: "Split it into several.",
  });
}
