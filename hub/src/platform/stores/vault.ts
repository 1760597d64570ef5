import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { cutChunks, type Digest, digestHex, Fault, joinChunks, limits } from "@capstan/proto";
import { BundleEnvelopeSchema, Compression } from "@capstan/proto/desired";
import type { BundleVault } from "../../distribution/port.ts";
import type { Sealing } from "../../identity/port.ts";
import type { BundleStore } from "../../store/port.ts";
import type { StoredBundleRef } from "../../targets/content.ts";
import { gunzip, gzip, sha256Digest } from "../crypto/digests.ts";

/** Bundles compressed, encrypted and cut into chunks, over the bundle store. */
export function bundleVault(store: BundleStore, sealing: Sealing): BundleVault {
  /** How bundles that this process has seen are stored: most are asked for again and again. */
  const known = new Map<Digest, StoredBundleRef>();
  const envelope = async (digest: Digest, signal: AbortSignal) => {
    const chunks = await store.get(digestHex(digest), signal);
    if (chunks === undefined) return undefined;
    return { chunks: chunks.length, envelope: fromBinary(BundleEnvelopeSchema, joinChunks(chunks)) };
  };
  const open = (digest: Digest, stored: NonNullable<Awaited<ReturnType<typeof envelope>>>) => {
    const { ciphertext, nonce, keyId } = stored.envelope;
    const plain = gunzip(sealing.decrypt(digest, { ciphertext, nonce, keyId }), limits.bundleBytes);
    if (sha256Digest(plain) !== digest) {
      throw new Fault("digest-mismatch", { message: `the stored bundle ${digest} holds other content.` });
    }
    return plain;
  };
  return {
    async store(digest, content, signal) {
      const before = known.get(digest);
      if (before !== undefined && before.keyId === sealing.currentKeyId()) return before;
      const sealed = sealing.encrypt(digest, gzip(content));
      const bytes = toBinary(
        BundleEnvelopeSchema,
        create(BundleEnvelopeSchema, {
          ciphertext: sealed.ciphertext,
          nonce: sealed.nonce,
          keyId: sealed.keyId,
          compression: Compression.GZIP,
        }),
      );
      const chunks = cutChunks(bytes);
      await store.put(digestHex(digest), chunks, signal);
      const ref = { digest, size: content.length, chunks: chunks.length, keyId: sealed.keyId };
      known.set(digest, ref);
      return ref;
    },
    async read(digest, signal) {
      const stored = await envelope(digest, signal);
      return stored === undefined ? undefined : open(digest, stored);
    },
    async has(digest, signal) {
      if (known.has(digest)) return true;
      return store.has(digestHex(digest), signal);
    },
    forget: () => known.clear(),
  };
}
