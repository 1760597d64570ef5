import { promisify } from "node:util";
import { deflateRaw, inflateRaw } from "node:zlib";
import { Fault } from "@capstan/proto";
import type { StoredMessage } from "./read.ts";

/** Bytes of a value on the wire: NATS' 1 MiB less room for headers. */
export const maxValueBytes = 1_000_000;
const maxInflatedBytes = 64 * 1024 * 1024;
const deflateFrom = 4096;
const encodingHeader = "Capstan-Encoding";

const deflate = promisify(deflateRaw);
const inflate = promisify(inflateRaw);

/** A value as it goes out, and the headers that say how. */
export interface Packed {
  readonly value: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** Deflates what is worth it. Throws `too-large`, naming `what`, for what does not fit nevertheless. */
export async function pack(value: Uint8Array, what: string): Promise<Packed> {
  if (value.length < deflateFrom) return { value, headers: {} };
  const bytes = new Uint8Array(await deflate(value));
  if (bytes.length > maxValueBytes || value.length > maxInflatedBytes) throw tooLarge(what, value.length, bytes.length);
  return { value: bytes, headers: { [encodingHeader]: "deflate" } };
}

/** A value that goes out as it is. Throws `too-large`. */
export function asIs(value: Uint8Array, what: string): Packed {
  if (value.length > maxValueBytes) throw tooLarge(what, value.length, value.length);
  return { value, headers: {} };
}

/** The reverse, within a bound. */
export async function unpack(message: StoredMessage): Promise<Uint8Array> {
  if (message.header(encodingHeader) !== "deflate") return message.value;
  return new Uint8Array(await inflate(message.value, { maxOutputLength: maxInflatedBytes }));
}

function tooLarge(what: string, bytes: number, encoded: number): Fault {
  return new Fault("too-large", {
    message: `expected a value of at most ${maxValueBytes} bytes on the wire, found ${encoded} (${bytes} before compression).`,
    where: { object: what },
    next: "Split it into several.",
  });
}
