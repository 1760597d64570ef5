import { fromBinary } from "@bufbuild/protobuf";
import { type Digest, Fault, joinChunks, limits, parseDigest } from "@capstan/proto";
import {
  type BundleEnvelope,
  BundleEnvelopeSchema,
  type BundleRef,
  Compression,
  type SealedKey,
} from "@capstan/proto/desired";
import type { PackedBundle } from "./model.ts";
import type { BundleCrypto, DesiredSource } from "./port.ts";

/** What a fetch works with. */
export interface FetchPorts {
  readonly source: DesiredSource;
  readonly crypto: BundleCrypto;
  /** X25519 private keys, the current one first. */
  sealingKeys(): readonly string[];
}

const inFlight = 4;

/**
 * Gets a bundle: chunks, joined, decrypted with the key that is sealed to this cluster, checked against size and digest.
 * Faults: `not-found` (not stored, or not yet), `hub-unreachable`, `signature-refused` (no key of ours fits),
 * `digest-mismatch`, `too-large`, `bad-input`.
 */
export async function fetchBundle(ports: FetchPorts, ref: BundleRef, signal: AbortSignal): Promise<PackedBundle> {
  const { digest, key } = checkedRef(ref);
  const envelope = decode(joinChunks(await chunksOf(ports.source, digest, ref.chunks, signal)), digest);
  const contentKey = ports.crypto.unseal(key, digest, ports.sealingKeys());
  const packed = ports.crypto.decrypt(contentKey, envelope.nonce, envelope.ciphertext, digest);
  const gzip = await asGzip(ports.crypto, packed, envelope.compression);
  const found = await ports.crypto.digestOf(gzip, Number(ref.size));
  if (found.digest !== digest || BigInt(found.size) !== ref.size) {
    throw new Fault("digest-mismatch", {
      message: `expected ${ref.size} bytes with ${digest}, found ${found.size} with ${found.digest}.`,
    });
  }
  return { digest, gzip };
}

/** The reference, within its limits. */
function checkedRef(ref: BundleRef): { readonly digest: Digest; readonly key: SealedKey } {
  const digest = parseDigest(ref.digest);
  if (ref.size > BigInt(limits.bundleBytes) || ref.chunks > Math.ceil(limits.envelopeBytes / limits.chunkBytes)) {
    throw new Fault("too-large", {
      message: `bundle ${digest} has ${ref.size} bytes in ${ref.chunks} chunks, past the limit.`,
      next: "Split the application.",
    });
  }
  if (ref.chunks < 1 || ref.key === undefined) {
    throw new Fault("bad-input", { message: `bundle ${digest} is named without its chunks or its key.` });
  }
  return { digest, key: ref.key };
}

async function chunksOf(
  source: DesiredSource,
  digest: Digest,
  count: number,
  signal: AbortSignal,
): Promise<Uint8Array[]> {
  const chunks = new Array<Uint8Array>(count);
  for (let start = 0; start < count; start += inFlight) {
    const some = Array.from({ length: Math.min(inFlight, count - start) }, (_, i) => start + i);
    await Promise.all(
      some.map(async (n) => {
        chunks[n] = await source.chunk(digest, n, signal);
      }),
    );
  }
  return chunks;
}

function decode(bytes: Uint8Array, digest: Digest): BundleEnvelope {
  try {
    return fromBinary(BundleEnvelopeSchema, bytes);
  } catch (cause) {
    throw new Fault("digest-mismatch", { message: `what is stored for ${digest} is no bundle.`, cause });
  }
}

function asGzip(crypto: BundleCrypto, bytes: Uint8Array, compression: Compression): Promise<Uint8Array> | Uint8Array {
  switch (compression) {
    case Compression.GZIP:
      return bytes;
    case Compression.NONE:
      return crypto.gzip(bytes);
    default:
      throw new Fault("unsupported", {
        message: `the bundle is compressed in a way (${compression}) that this agent does not know.`,
        next: "Upgrade the agent.",
      });
  }
}
