import { Fault } from "@capstan/proto";
import { createInbox, type Msg, type NatsConnection } from "nats";
import { abortable, whileUp } from "./connection.ts";
import { natsFault, request, requestTimeout } from "./publish.ts";

/** One stored message. */
export interface StoredMessage {
  readonly subject: string;
  readonly sequence: bigint;
  readonly value: Uint8Array;
  header(name: string): string | undefined;
}

/** A stream to read, and how many servers hold it. */
export interface ReadFrom {
  readonly connection: NatsConnection;
  readonly stream: string;
  /** With more than one, direct gets may lag: reads that decide then go to the stream's leader. */
  readonly replicas: number;
}

const none = new Uint8Array();
const pageMessages = 256;
const pageBytes = 8 * 1024 * 1024;

/** The last message of a subject, never older than what was acknowledged before. */
export async function readLast(
  from: ReadFrom,
  subject: string,
  signal: AbortSignal,
): Promise<StoredMessage | undefined> {
  if (from.replicas > 1) return fromLeader(from, { last_by_subj: subject }, signal);
  try {
    const direct = `$JS.API.DIRECT.GET.${from.stream}.${subject}`;
    const ask = () => from.connection.request(direct, none, { timeout: requestTimeout });
    const message = await abortable(() => whileUp(from.connection, requestTimeout, ask), signal);
    if (message.headers?.code === 404) return undefined;
    return stored(message);
  } catch (thrown) {
    throw natsFault(thrown);
  }
}

/** All messages whose subject fits the filter, from a sequence on, in order, by pages of direct gets. */
export async function readAll(
  from: ReadFrom,
  filter: { readonly subject: string; readonly from?: bigint },
  signal: AbortSignal,
): Promise<StoredMessage[]> {
  const messages: StoredMessage[] = [];
  let next = filter.from ?? 1n;
  for (;;) {
    const start = next;
    const ask = () => readPage(from, { subject: filter.subject, from: start }, signal);
    const page = await whileUp(from.connection, requestTimeout, ask);
    for (const message of page.messages) messages.push(message);
    const last = page.messages.at(-1);
    if (page.pending === 0 || last === undefined) return messages;
    next = last.sequence + 1n;
  }
}

/** The last message of every subject that fits the filter. Consistent like `readLast`. For streams of one message a subject. */
export async function readEachLast(from: ReadFrom, filter: string, signal: AbortSignal): Promise<StoredMessage[]> {
  if (from.replicas === 1) return readAll(from, { subject: filter }, signal);
  const subjects = await listSubjects(from, filter, signal);
  const found = await inParallel(subjects, 64, (subject) => fromLeader(from, { last_by_subj: subject }, signal));
  return found.filter((message) => message !== undefined).sort((a, b) => Number(a.sequence - b.sequence));
}

/** All messages of one subject in order, asked of the stream's leader where it has followers. */
export async function readHistory(from: ReadFrom, subject: string, signal: AbortSignal): Promise<StoredMessage[]> {
  if (from.replicas === 1) return readAll(from, { subject }, signal);
  const messages: StoredMessage[] = [];
  for (let next = 1n; ; ) {
    const message = await fromLeader(from, { seq: Number(next), next_by_subj: subject }, signal);
    if (message === undefined) return messages;
    messages.push(message);
    next = message.sequence + 1n;
  }
}

/** Runs `work` over all items with so many at once; results in the order of the items; ends at the first fault. */
export async function inParallel<T, R>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results = new Array<R>(items.length);
  const entries = items.entries();
  let failed = false;
  const worker = async () => {
    for (const [index, item] of entries) {
      if (failed) return;
      try {
        results[index] = await work(item);
      } catch (thrown) {
        failed = true;
        throw thrown;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, worker));
  return results;
}

/** Subjects of a stream that fit a filter, by the leader's account. */
async function listSubjects(from: ReadFrom, filter: string, signal: AbortSignal): Promise<string[]> {
  const subjects: string[] = [];
  for (;;) {
    const query = JSON.stringify({ subjects_filter: filter, offset: subjects.length });
    const value = new TextEncoder().encode(query);
    const answer = await request(from.connection, { subject: `$JS.API.STREAM.INFO.${from.stream}`, value }, signal);
    const state = answer["state"] as { subjects?: Record<string, number> } | undefined;
    const page = Object.keys(state?.subjects ?? {});
    subjects.push(...page);
    if (page.length === 0 || subjects.length >= Number(answer["total"] ?? 0)) return subjects;
  }
}

/** One message by the stream's leader, never stale. */
async function fromLeader(
  from: ReadFrom,
  query: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
): Promise<StoredMessage | undefined> {
  const value = new TextEncoder().encode(JSON.stringify(query));
  const answer = await request(from.connection, { subject: `$JS.API.STREAM.MSG.GET.${from.stream}`, value }, signal);
  const error = answer["error"] as { code?: number; description?: string } | undefined;
  if (error?.code === 404) return undefined;
  const message = answer["message"] as { subject: string; seq: number; data?: string; hdrs?: string } | undefined;
  if (message === undefined) {
    throw new Fault("store-unavailable", { message: `expected a message, found: ${error?.description ?? "nothing"}.` });
  }
  const lines = Buffer.from(message.hdrs ?? "", "base64")
    .toString("utf8")
    .split("\r\n");
  return {
    subject: message.subject,
    sequence: BigInt(message.seq),
    value: new Uint8Array(Buffer.from(message.data ?? "", "base64")),
    header: (name) =>
      lines
        .find((line) => line.startsWith(`${name}:`))
        ?.slice(name.length + 1)
        .trim(),
  };
}

/** One batch of direct gets: answered message by message, ended by a status. */
async function readPage(
  from: ReadFrom,
  filter: { readonly subject: string; readonly from: bigint },
  signal: AbortSignal,
): Promise<{ messages: StoredMessage[]; pending: number }> {
  signal.throwIfAborted();
  const inbox = createInbox();
  const subscription = from.connection.subscribe(inbox, { timeout: requestTimeout });
  const stop = () => subscription.unsubscribe();
  signal.addEventListener("abort", stop, { once: true });
  const query = { seq: Number(filter.from), next_by_subj: filter.subject, batch: pageMessages, max_bytes: pageBytes };
  const messages: StoredMessage[] = [];
  try {
    from.connection.publish(`$JS.API.DIRECT.GET.${from.stream}`, JSON.stringify(query), { reply: inbox });
    for await (const message of subscription) {
      const status = message.headers?.code ?? 0;
      if (status === 204) return { messages, pending: Number(message.headers?.get("Nats-Num-Pending") || "0") };
      if (status === 404) return { messages, pending: 0 };
      if (status !== 0) throw unreadable(from.stream, message.headers?.description ?? String(status));
      messages.push(stored(message));
    }
    signal.throwIfAborted();
    throw unreadable(from.stream, "the connection ended");
  } catch (thrown) {
    throw natsFault(thrown);
  } finally {
    signal.removeEventListener("abort", stop);
    subscription.unsubscribe();
  }
}

function unreadable(stream: string, found: string): Fault {
  return new Fault("store-unavailable", { message: `expected to read stream ${stream}, found: ${found}.` });
}

function stored(message: Msg): StoredMessage {
  const header = (name: string) => message.headers?.get(name) || undefined;
  return {
    subject: header("Nats-Subject") ?? message.subject,
    sequence: BigInt(header("Nats-Sequence") ?? "0"),
    // A copy: the client's bytes are a view of what came from the socket, and would keep all of that in memory.
    value: new Uint8Array(message.data),
    header,
  };
}
