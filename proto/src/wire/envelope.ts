import { Fault } from "../fault/fault.ts";
import { limits } from "./limits.ts";

/** First words of what is signed or derived, so that a signature for one purpose is never good for another. */
export const domains = {
  desired: "capstan.v1.DesiredState",
  verificationKey: "capstan.v1.VerificationKey",
  renew: "capstan.v1.Renew",
  seal: "capstan.v1.seal",
  bundle: "capstan.v1.bundle",
} as const;
export type Domain = (typeof domains)[keyof typeof domains];

/** The bytes that a signature covers: the domain's text, a zero byte, the payload. */
export function signedBytes(domain: Domain, payload: Uint8Array): Uint8Array {
  const head = new TextEncoder().encode(domain);
  const bytes = new Uint8Array(head.length + 1 + payload.length);
  bytes.set(head);
  bytes.set(payload, head.length + 1);
  return bytes;
}

/** HKDF info of a bundle's content key. */
export function bundleKeyInfo(keyId: string, digest: string): Uint8Array {
  return new TextEncoder().encode(`${domains.bundle}\0${keyId}\0${digest}`);
}

/** Cuts an envelope into chunks; an empty one has one empty chunk. Throws `too-large` past `limits.envelopeBytes`. */
export function cutChunks(envelope: Uint8Array): Uint8Array[] {
  if (envelope.length > limits.envelopeBytes) {
    throw new Fault("too-large", {
      message: `a bundle of ${envelope.length} bytes (compressed and encrypted) is over the limit of ${limits.envelopeBytes}.`,
      next: "Split the application.",
    });
  }
  const chunks: Uint8Array[] = [];
  for (let start = 0; start === 0 || start < envelope.length; start += limits.chunkBytes) {
    chunks.push(envelope.subarray(start, start + limits.chunkBytes));
  }
  return chunks;
}

/** The reverse of `cutChunks`. */
export function joinChunks(chunks: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
