import { Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import type { BundleStore, StoredBundle } from "../../store/port.ts";
import { apiFault, natsFault, publish, request } from "./publish.ts";
import { inParallel, type ReadFrom, readAll, readLast } from "./read.ts";
import { streamNames } from "./streams.ts";

/** Says in chunk 0 how many chunks belong to it: tails of an earlier, longer put are then not read. */
export const chunkCountHeader = "Capstan-Chunks";
const maxChunkBytes = 256 * 1024;
const inFlight = 16;

/** Stream `bundles`. Unfenced by the server: a bundle counts once a desired state names it. */
export class NatsBundleStore implements BundleStore {
  readonly #from: ReadFrom;
  readonly #assertLeading: (signal: AbortSignal) => Promise<void>;

  /** `assertLeading` asks the server whether the lease is still ours and throws `not-leader` where not. */
  constructor(connection: NatsConnection, replicas: number, assertLeading: (signal: AbortSignal) => Promise<void>) {
    this.#from = { connection, stream: streamNames.bundles, replicas };
    this.#assertLeading = assertLeading;
  }

  async put(digestHex: string, chunks: readonly Uint8Array[], signal: AbortSignal): Promise<void> {
    const [first, ...rest] = chunks;
    if (first === undefined || chunks.some((chunk) => chunk.length > maxChunkBytes)) {
      throw new Fault("too-large", { message: `expected one or more chunks of at most ${maxChunkBytes} bytes each.` });
    }
    await inParallel([...rest.entries()], inFlight, ([index, value]) =>
      this.#publish({ subject: subjectOf(digestHex, index + 1), value }, signal),
    );
    const headers = { [chunkCountHeader]: String(chunks.length) };
    await this.#publish({ subject: subjectOf(digestHex, 0), value: first, headers }, signal);
  }

  async has(digestHex: string, signal: AbortSignal): Promise<boolean> {
    return (await readLast(this.#from, subjectOf(digestHex, 0), signal)) !== undefined;
  }

  async get(digestHex: string, signal: AbortSignal): Promise<Uint8Array[] | undefined> {
    const first = await readLast(this.#from, subjectOf(digestHex, 0), signal);
    if (first === undefined) return undefined;
    const count = Number(first.header(chunkCountHeader) ?? "1");
    const indexes = Array.from({ length: count - 1 }, (_, i) => i + 1);
    const rest = await inParallel(indexes, inFlight, (i) => readLast(this.#from, subjectOf(digestHex, i), signal));
    // A missing chunk means that the bundle is being collected just now: as good as gone.
    const chunks = [first, ...rest].map((message) => message?.value);
    return chunks.every((chunk) => chunk !== undefined) ? chunks : undefined;
  }

  async chunk(digestHex: string, index: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    return (await readLast(this.#from, subjectOf(digestHex, index), signal))?.value;
  }

  async digests(signal: AbortSignal): Promise<StoredBundle[]> {
    try {
      return await this.#readHeads(signal);
    } catch (thrown) {
      throw natsFault(thrown);
    }
  }

  async delete(digestHex: string, signal: AbortSignal): Promise<void> {
    await this.#assertLeading(signal);
    // Chunk 0 goes first: what is half gone is no bundle.
    for (const filter of [subjectOf(digestHex, 0), `bundle.${digestHex}.>`]) {
      const value = new TextEncoder().encode(JSON.stringify({ filter }));
      const subject = `$JS.API.STREAM.PURGE.${streamNames.bundles}`;
      const answer = await request(this.#from.connection, { subject, value }, signal);
      const error = answer["error"] as { err_code?: number; description?: string } | undefined;
      if (error !== undefined) throw apiFault(error.err_code ?? 0, error.description ?? "unknown error");
    }
  }

  async #publish(
    publication: { readonly subject: string; readonly value: Uint8Array; readonly headers?: Record<string, string> },
    signal: AbortSignal,
  ): Promise<void> {
    await publish(this.#from.connection, publication, signal);
  }

  /** Subjects and times of all chunks 0, without their bytes, by a passing consumer. */
  async #readHeads(signal: AbortSignal): Promise<StoredBundle[]> {
    const heads: StoredBundle[] = [];
    const consumers = this.#from.connection.jetstream().consumers;
    const consumer = await consumers.get(streamNames.bundles, { filterSubjects: ["bundle.*.0"], headers_only: true });
    try {
      let { num_pending: pending } = await consumer.info();
      while (pending > 0) {
        signal.throwIfAborted();
        for await (const message of await consumer.fetch({ max_messages: Math.min(pending, 1000), expires: 5_000 })) {
          const hex = message.subject.split(".")[1] ?? "";
          heads.push({ hex, storedAt: Math.floor(message.info.timestampNanos / 1_000_000) });
          pending = message.info.pending;
        }
      }
      return heads;
    } finally {
      await consumer.delete().catch(() => false);
    }
  }
}

function subjectOf(digestHex: string, index: number): string {
  return `bundle.${digestHex}.${index}`;
}

/** All chunks of a bundle in any state, for tests of collection. */
export async function storedChunks(
  connection: NatsConnection,
  digestHex: string,
  signal: AbortSignal,
): Promise<number> {
  const from = { connection, stream: streamNames.bundles, replicas: 1 };
  return (await readAll(from, { subject: `bundle.${digestHex}.>` }, signal)).length;
}
