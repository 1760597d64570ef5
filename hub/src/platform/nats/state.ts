import { type Clock, Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import type { Entry, Fence, StateStore, Write } from "../../store/port.ts";
import { cutBatches, knowsBatches, publishBatch } from "./batch.ts";
import { asIs, pack, unpack } from "./pack.ts";
import { type Acknowledged, type Publication, publish, type WrongSequence } from "./publish.ts";
import { inParallel, type ReadFrom, readEachLast, readLast, type StoredMessage } from "./read.ts";
import { streamNames } from "./streams.ts";
import type { Turn } from "./turn.ts";

/** What a state store stands on. */
export interface StateOptions {
  readonly connection: NatsConnection;
  readonly replicas: number;
  readonly fence: Fence;
  readonly clock: Clock;
  /** Where several servers hold the stream, they handle one write of a fence at a time: others are sent back. */
  readonly turn: Turn | undefined;
  /** Told of every sequence that the server has acknowledged or shown. */
  observe(sequence: bigint): void;
}

const root = "$KV.state.";
/** Seconds that a deleted key's marker is kept: nobody needs it, but tools that follow the bucket may. */
const markerTtl = "86400";

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
    const publication = await encode({ key, value });
    return this.#fenced((fence) => {
      const headers = { ...publication.headers, ...fence };
      return publish(this.#options.connection, { ...publication, headers }, signal);
    }, signal);
  }

  async putMany(writes: readonly Write[], signal: AbortSignal): Promise<bigint[]> {
    const { connection, replicas } = this.#options;
    if (writes.length <= 1 || !knowsBatches(connection)) {
      return inParallel(writes, replicas > 1 ? 1 : 256, (write) => this.put(write.key, write.value, signal));
    }
    const publications = await Promise.all(writes.map(encode));
    const revisions: bigint[] = [];
    for (const batch of cutBatches(publications)) revisions.push(...(await this.#putBatch(batch, signal)));
    return revisions;
  }

  async delete(key: string, signal: AbortSignal): Promise<void> {
    const headers = { "KV-Operation": "DEL", "Nats-TTL": `${markerTtl}s` };
    const publication = { subject: root + key, value: new Uint8Array() };
    await this.#fenced((fence) => {
      return publish(this.#options.connection, { ...publication, headers: { ...headers, ...fence } }, signal);
    }, signal);
  }

  /** The revisions of a batch: its messages stand one after another. */
  async #putBatch(batch: readonly Publication[], signal: AbortSignal): Promise<bigint[]> {
    const last = await this.#fenced((fence) => {
      const fenced = batch.map((p, i) => (i === 0 ? { ...p, headers: { ...p.headers, ...fence } } : p));
      return publishBatch(this.#options.connection, fenced, signal);
    }, signal);
    return batch.map((_, i) => last - BigInt(batch.length - 1 - i));
  }

  /** Sends with the fence as it stands, again where our own renewal has moved it. */
  async #fenced(
    send: (fence: Readonly<Record<string, string>>) => Promise<Acknowledged | WrongSequence>,
    signal: AbortSignal,
  ): Promise<bigint> {
    const { fence, clock, observe, turn } = this.#options;
    let lease = fence.current();
    for (;;) {
      if (lease === undefined) throw notLeader("the lease is not ours");
      const headers = {
        "Nats-Expected-Last-Subject-Sequence": String(lease),
        "Nats-Expected-Last-Subject-Sequence-Subject": `${root}lease.${fence.shard}`,
      };
      const answer = await (turn === undefined ? send(headers) : turn.run(() => send(headers)));
      if (answer.kind === "stored") {
        observe(answer.sequence);
        return answer.sequence;
      }
      if (!answer.certain) {
        await clock.sleep(2, signal);
        lease = fence.current();
        continue;
      }
      const now = await fence.settled(signal);
      if (now === lease) throw notLeader(`the server refused a write fenced by lease ${lease}`);
      lease = now;
    }
  }
}

/** A write as it goes out. Agents read desired states by themselves, and their publisher has compressed them already. */
async function encode({ key, value }: Write): Promise<Publication> {
  return { subject: root + key, ...(key.startsWith("desired.") ? asIs(value, key) : await pack(value, key)) };
}

async function toEntry(message: StoredMessage): Promise<Entry | undefined> {
  if (message.header("KV-Operation") !== undefined) return undefined;
  return { key: message.subject.slice(root.length), value: await unpack(message), revision: message.sequence };
}

function notLeader(found: string): Fault {
  return new Fault("not-leader", {
    message: `expected to lead while writing, found that ${found}.`,
    next: "Another hub leads: ask it.",
  });
}
