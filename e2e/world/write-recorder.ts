import type { Msg, NatsConnection } from "nats";
import type { History } from "./history.ts";

const root = "$KV.state.";
const leases = `${root}lease.`;

/** What a hub sent, until the server has answered. */
interface Sent {
  readonly subject: string;
  readonly data: Uint8Array;
}

/** The server's answer to a publish. */
interface Answer {
  readonly stream?: string;
  readonly seq?: number;
  readonly error?: unknown;
}

/**
 * Writes down every write of the bucket `state` that a hub sends, and whether the server took it. It hears the messages
 * and, as a user of the hub's own account, the server's answers; so it needs no consumer that a lost store would silence.
 * Hubs are told apart by their connection, which is the first part of the reply subject, and named by their lease writes.
 */
export class WriteRecorder {
  readonly #history: History;
  readonly #sent = new Map<string, readonly Sent[]>();
  readonly #answers = new Map<string, Answer>();
  readonly #batches = new Map<string, Sent[]>();
  readonly #terms = new Map<string, number>();

  constructor(history: History) {
    this.#history = history;
  }

  /** Hears until the connection is closed. */
  async hear(store: NatsConnection): Promise<void> {
    const [written, answered] = [store.subscribe(`${root}>`), store.subscribe("_INBOX.>")];
    await Promise.all([
      each(written, (message) => this.#wrote(message)),
      each(answered, (message) => this.#answered(message)),
    ]);
  }

  #wrote({ subject, data, reply, headers }: Msg): void {
    const batch = headers?.get("Nats-Batch-Id") ?? "";
    const sent = [
      ...(batch === "" ? [] : this.#batchOf(batch, headers?.get("Nats-Batch-Sequence"))),
      { subject, data },
    ];
    if (reply === undefined || reply === "") {
      if (batch !== "") this.#batches.set(batch, sent);
      return;
    }
    this.#batches.delete(batch);
    const answer = this.#answers.get(reply);
    this.#answers.delete(reply);
    if (answer === undefined) this.#sent.set(reply, sent);
    else this.#done(writerOf(reply), sent, answer);
  }

  /** What was sent of a batch so far; a batch that is sent again begins anew. */
  #batchOf(batch: string, at: string | undefined): readonly Sent[] {
    return at === "1" ? [] : (this.#batches.get(batch) ?? []);
  }

  #answered({ subject, data }: Msg): void {
    const sent = this.#sent.get(subject);
    if (sent === undefined && data.length > 512) return; // no answer to a publish is so long
    const answer = parse(data);
    if (sent === undefined) {
      // The answer may come first; answers of other kinds are not kept.
      if (answer?.stream === "KV_state" && answer.seq !== undefined) this.#answers.set(subject, answer);
      return;
    }
    this.#sent.delete(subject);
    this.#done(writerOf(subject), sent, answer ?? { error: "unreadable" });
  }

  #done(writer: string, sent: readonly Sent[], { seq = 0, error }: Answer): void {
    const accepted = error === undefined;
    for (const [at, { subject, data }] of sent.entries()) {
      const sequence = accepted ? seq - (sent.length - 1 - at) : 0;
      if (accepted && subject.startsWith(leases)) this.#leads(writer, data, sequence);
      else this.#history.record({ kind: "wrote", writer, key: subject.slice(root.length), sequence, accepted });
    }
  }

  /** A lease write begins a term, at its own sequence, or renews one. */
  #leads(writer: string, data: Uint8Array, sequence: number): void {
    const lease = parse(data) as { readonly hub?: string; readonly epoch?: string } | undefined;
    if (lease?.hub === undefined) return;
    const told = Number(lease.epoch ?? 0);
    const epoch = told === 0 ? sequence : told;
    if (this.#terms.get(writer) === epoch) return;
    this.#terms.set(writer, epoch);
    this.#history.record({ kind: "leads", writer, hub: lease.hub, epoch });
  }
}

async function each(messages: AsyncIterable<Msg>, hear: (message: Msg) => void): Promise<void> {
  for await (const message of messages) hear(message);
}

/** `_INBOX.CONNECTION.REQUEST` */
function writerOf(reply: string): string {
  return reply.split(".")[1] ?? "";
}

function parse(data: Uint8Array): Answer | undefined {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(data));
    return typeof value === "object" && value !== null ? (value as Answer) : undefined;
  } catch {
    return undefined;
  }
}
