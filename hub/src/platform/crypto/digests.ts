import { createHash, randomBytes, randomUUID } from "node:crypto";
import { gunzipSync, gzipSync } from "node:zlib";
import { type Digest, Fault } from "@capstan/proto";
import type { TokenCrypto } from "../../identity/port.ts";

/** Lower-case hex SHA-256. */
export function sha256Hex(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** `sha256:` and 64 hex digits. */
export function sha256Digest(bytes: Uint8Array): Digest {
  return `sha256:${sha256Hex(bytes)}` as Digest;
}

/** Chance and hashes for tokens. */
export const tokenCrypto: TokenCrypto = {
  random: (bytes, as) => randomBytes(bytes).toString(as),
  sha256: sha256Hex,
};

/** 128 random bits as text: nonces of terms, ids of audit entries. */
export function randomId(): string {
  return randomUUID();
}

/** The same bytes for the same input: no time and no name in the header. */
export function gzip(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(gzipSync(bytes, { level: 6 }));
}

/** Throws `too-large` past the limit and `bad-input` for what is no gzip. */
export function gunzip(bytes: Uint8Array, limit: number): Uint8Array {
  try {
    return new Uint8Array(gunzipSync(bytes, { maxOutputLength: limit }));
  } catch (cause) {
    const large = cause instanceof Error && "code" in cause && cause.code === "ERR_BUFFER_TOO_LARGE";
    throw new Fault(large ? "too-large" : "bad-input", {
      message: large ? `expected at most ${limit} bytes unpacked, found more.` : "expected gzip, found other bytes.",
      cause,
    });
  }
}
