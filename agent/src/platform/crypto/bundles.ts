import { createDecipheriv, createHash, createPublicKey, diffieHellman, hkdfSync } from "node:crypto";
import { Readable } from "node:stream";
import { promisify } from "node:util";
import { createGunzip, gunzipSync, gzip } from "node:zlib";
import { domains, Fault, parseDigest } from "@capstan/proto";
import type { SealedKey } from "@capstan/proto/desired";
import type { BundleCrypto } from "../../desired/port.ts";
import { rawPublic, readPrivate } from "./keys.ts";

const tagBytes = 16;
const deflate = promisify(gzip);

/** Unsealing as `desired.proto` describes it, and streaming gzip. */
export const bundleCrypto: BundleCrypto = {
  unseal,
  decrypt,
  gunzip: gunzipBounded,
  gzip: (bytes) => deflate(bytes),
  digestOf,
  lines,
};

function unseal(key: SealedKey, aad: string, privateKeys: readonly string[]): Uint8Array {
  for (const text of privateKeys) {
    try {
      return openSealed(key, aad, text);
    } catch {
      // Sealed to another of our keys; if to none, the fault below says so.
    }
  }
  throw new Fault("signature-refused", {
    message: `the key of ${aad} is not sealed to any of the ${privateKeys.length} keys that this agent holds.`,
    next: "Wait for the hub's next state; join the cluster again if it stays.",
  });
}

function openSealed(key: SealedKey, aad: string, privateKey: string): Uint8Array {
  const own = readPrivate(privateKey);
  const x = Buffer.from(key.ephemeralPublic).toString("base64url");
  const ephemeral = createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
  const shared = diffieHellman({ privateKey: own, publicKey: ephemeral });
  const salt = Buffer.concat([key.ephemeralPublic, rawPublic(createPublicKey(own))]);
  const wrapping = new Uint8Array(hkdfSync("sha256", shared, salt, domains.seal, 32));
  return decrypt(wrapping, key.nonce, key.sealed, aad);
}

function decrypt(key: Uint8Array, nonce: Uint8Array, ciphertext: Uint8Array, aad: string): Uint8Array {
  const split = ciphertext.length - tagBytes;
  try {
    const open = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes });
    open.setAAD(Buffer.from(aad));
    open.setAuthTag(ciphertext.subarray(split));
    return Buffer.concat([open.update(ciphertext.subarray(0, split)), open.final()]);
  } catch (cause) {
    throw new Fault("digest-mismatch", {
      message: `what is stored for ${aad} cannot be decrypted with its key.`,
      cause,
    });
  }
}

function gunzipBounded(bytes: Uint8Array, max: number): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: max });
  } catch (cause) {
    throw inflateFault(cause, max);
  }
}

function inflateFault(cause: unknown, max: number): Fault {
  if (cause instanceof Fault) return cause;
  const large = cause instanceof RangeError;
  return large
    ? new Fault("too-large", { message: `expected at most ${max} bytes after decompression, found more.`, cause })
    : new Fault("digest-mismatch", { message: "expected gzip data, found something else.", cause });
}

async function digestOf(
  packed: Uint8Array,
  max: number,
): Promise<{ digest: ReturnType<typeof parseDigest>; size: number }> {
  const hash = createHash("sha256");
  let size = 0;
  try {
    for await (const chunk of inflate(packed)) {
      size += chunk.length;
      if (size > max) throw new RangeError("past the limit");
      hash.update(chunk);
    }
  } catch (cause) {
    throw inflateFault(cause, max);
  }
  return { digest: parseDigest(`sha256:${hash.digest("hex")}`), size };
}

async function* inflate(packed: Uint8Array): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip();
  Readable.from([packed])
    .on("error", (error) => gunzip.destroy(error))
    .pipe(gunzip);
  yield* gunzip as AsyncIterable<Uint8Array>;
}

async function* lines(packed: Uint8Array): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of inflate(packed)) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop() ?? "";
    for (const line of parts) if (line !== "") yield line;
  }
  rest += decoder.decode();
  if (rest !== "") yield rest;
}
