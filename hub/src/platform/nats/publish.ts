import { Fault } from "@capstan/proto";
import { type MsgHdrs, type NatsConnection, NatsError, headers as newHeaders } from "nats";
import { abortable, whileUp } from "./connection.ts";

/** What JetStream answers to a publish that it took. */
export interface Acknowledged {
  readonly kind: "stored";
  readonly sequence: bigint;
}

/** The expectation that came with a publish did not hold. */
export interface WrongSequence {
  readonly kind: "wrong-sequence";
  /** False where the server could not look, because a write of the same fence was still under way in its cluster. */
  readonly certain: boolean;
}

/** One message for a stream. */
export interface Publication {
  readonly subject: string;
  readonly value: Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Milliseconds until a publish or read counts as unanswered. */
export const requestTimeout = 5_000;

// JetStream's error codes, from the server's list of errors.
const wrongLastSequence = 10071;
const wrongLastSequenceBusy = 10164;
const full = new Set([10023, 10028, 10047, 10077]);
const tooLarge = new Set([10054]);

/** Publishes to a stream and waits until it is stored. Faults: `store-full`, `too-large`, `store-unavailable`, `timeout`. */
export async function publish(
  connection: NatsConnection,
  publication: Publication,
  signal: AbortSignal,
): Promise<Acknowledged | WrongSequence> {
  return interpret(await request(connection, publication, signal));
}

/** What a stream's answer to a publish says. Faults as of `publish`. */
export function interpretAck(data: Uint8Array): Acknowledged | WrongSequence {
  return interpret(JSON.parse(new TextDecoder().decode(data)) as Record<string, unknown>);
}

function interpret(answer: Readonly<Record<string, unknown>>): Acknowledged | WrongSequence {
  const error = answer["error"];
  if (typeof error !== "object" || error === null) return { kind: "stored", sequence: BigInt(Number(answer["seq"])) };
  const { err_code: code, description } = error as { err_code?: number; description?: string };
  if (code === wrongLastSequence) return { kind: "wrong-sequence", certain: true };
  if (code === wrongLastSequenceBusy) return { kind: "wrong-sequence", certain: false };
  throw apiFault(code ?? 0, description ?? "unknown error");
}

/** A request whose answer is JSON, as of the JetStream and system APIs. */
export async function request(
  connection: NatsConnection,
  publication: Publication,
  signal: AbortSignal,
): Promise<Record<string, unknown>> {
  const { subject, value } = publication;
  const headers = publication.headers === undefined ? undefined : natsHeaders(publication.headers);
  try {
    const options = { timeout: requestTimeout, ...(headers === undefined ? {} : { headers }) };
    const send = () => {
      // The wait for the connection may have outlasted the caller: then nothing is sent any more.
      signal.throwIfAborted();
      return connection.request(subject, value, options);
    };
    const message = await abortable(() => whileUp(connection, requestTimeout, send), signal);
    return JSON.parse(new TextDecoder().decode(message.data)) as Record<string, unknown>;
  } catch (thrown) {
    throw natsFault(thrown);
  }
}

/** Headers of a message from a record. */
export function natsHeaders(record: Readonly<Record<string, string>>): MsgHdrs {
  const headers = newHeaders();
  for (const [name, value] of Object.entries(record)) headers.set(name, value);
  return headers;
}

/** A JetStream API error as a fault. */
export function apiFault(code: number, description: string): Fault {
  if (full.has(code)) {
    return new Fault("store-full", {
      message: `expected NATS to have room to store this, found: ${description} (${code}).`,
      next: "Free space on the volume of the NATS store or enlarge it; the hub goes on by itself.",
    });
  }
  if (tooLarge.has(code)) {
    return new Fault("too-large", {
      message: `expected a message that NATS may store, found: ${description} (${code}).`,
    });
  }
  return new Fault("store-unavailable", { message: `expected NATS to answer, found: ${description} (${code}).` });
}

/** Anything the client throws, as a fault; its words come in here and go no further. */
export function natsFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  if (!(thrown instanceof NatsError)) return Fault.from(thrown, "store-unavailable");
  if (thrown.code === "TIMEOUT") {
    return new Fault("timeout", {
      message: `expected NATS to answer within ${requestTimeout / 1000} s, found silence.`,
      cause: thrown,
    });
  }
  if (thrown.code === "503") {
    return new Fault("store-unavailable", {
      message: "expected JetStream behind NATS, found nobody answering for it.",
      next: "It may be starting, out of disk, or without a quorum: see the NATS server's log.",
      cause: thrown,
    });
  }
  const api = thrown.api_error;
  if (api !== undefined) return apiFault(api.err_code ?? 0, api.description);
  return new Fault("store-unavailable", {
    message: `expected NATS to answer, found: ${thrown.message}.`,
    cause: thrown,
  });
}
