import type { NatsConnection } from "nats";
import type { LeaseStore, StoredLease } from "../../leader/port.ts";
import { publish } from "./publish.ts";
import { readLast } from "./read.ts";
import { streamNames } from "./streams.ts";
import type { Turn } from "./turn.ts";

/** The keys `lease.<shard>`, moved by compare-and-set on their own sequence. */
export class NatsLeaseStore implements LeaseStore {
  readonly #connection: NatsConnection;
  readonly #replicas: number;
  readonly #turn: Turn | undefined;
  readonly #observe: (sequence: bigint) => void;

  /** `turn`: shared with the writes that the lease fences; where they would send one another back. */
  constructor(
    from: { readonly connection: NatsConnection; readonly replicas: number; readonly turn: Turn | undefined },
    observe: (sequence: bigint) => void,
  ) {
    this.#connection = from.connection;
    this.#replicas = from.replicas;
    this.#turn = from.turn;
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
    const send = () => publish(this.#connection, { subject: `$KV.state.lease.${shard}`, value, headers }, signal);
    const answer = await (this.#turn === undefined ? send() : this.#turn.run(send));
    if (answer.kind === "wrong-sequence") return undefined;
    this.#observe(answer.sequence);
    return answer.sequence;
  }
}
