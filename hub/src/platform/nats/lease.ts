import type { NatsConnection } from "nats";
import type { LeaseStore, StoredLease } from "../../leader/port.ts";
import { publish } from "./publish.ts";
import { readLast } from "./read.ts";
import { streamNames } from "./streams.ts";

/** The keys `lease.<shard>`, moved by compare-and-set on their own sequence. */
export class NatsLeaseStore implements LeaseStore {
  readonly #connection: NatsConnection;
  readonly #replicas: number;
  readonly #observe: (sequence: bigint) => void;

  constructor(connection: NatsConnection, replicas: number, observe: (sequence: bigint) => void) {
    this.#connection = connection;
    this.#replicas = replicas;
    this.#observe = observe;
  }

  async read(shard: string, signal: AbortSignal): Promise<StoredLease | undefined> {
    const from = { connection: this.#connection, stream: streamNames.state, replicas: this.#replicas };
    const message = await readLast(from, `$KV.state.lease.${shard}`, signal);
    if (message === undefined) return undefined;
    return { value: message.value, sequence: message.sequence };
  }

  async write(shard: string, value: Uint8Array, expected: bigint, signal: AbortSignal): Promise<bigint | undefined> {
    const headers = { "Nats-Expected-Last-Subject-Sequence": String(expected) };
    const answer = await publish(this.#connection, { subject: `$KV.state.lease.${shard}`, value, headers }, signal);
    if (answer.kind === "wrong-sequence") return undefined;
    this.#observe(answer.sequence);
    return answer.sequence;
  }
}
