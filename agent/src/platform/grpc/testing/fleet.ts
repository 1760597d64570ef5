import {
  createCipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  sign,
} from "node:crypto";
import { gzipSync } from "node:zlib";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { bundleKeyInfo, cutChunks, type Digest, domains, parseDigest, signedBytes } from "@capstan/proto";
import {
  BundleEnvelopeSchema,
  type BundleRef,
  BundleRefSchema,
  Compression,
  type DesiredState,
  DesiredStateSchema,
  type SignedDesiredState,
  SignedDesiredStateSchema,
} from "@capstan/proto/desired";

/** What a hub signs and seals with, written for tests straight from the schema's comments. */
export class TestFleet {
  readonly id = "5f0c2f5a-6f0f-4b52-9d3a-0a3c6c1f7e11";
  readonly #signing = generateKeyPairSync("ed25519");
  readonly #secret = randomBytes(32);
  readonly #chunks = new Map<string, Uint8Array>();

  /** Raw. */
  get publicKey(): Uint8Array {
    return Buffer.from(this.#signing.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  }

  get keyId(): string {
    return createHash("sha256").update(this.publicKey).digest("hex").slice(0, 16);
  }

  /** By `digest/n`. */
  get chunks(): ReadonlyMap<string, Uint8Array> {
    return this.#chunks;
  }

  sign(state: MessageInitShape<typeof DesiredStateSchema>): SignedDesiredState {
    const plain: DesiredState = create(DesiredStateSchema, state);
    const payload = gzipSync(toBinary(DesiredStateSchema, plain));
    const signature = sign(null, signedBytes(domains.desired, payload), this.#signing.privateKey);
    return create(SignedDesiredStateSchema, { payload, signature, keyId: this.keyId, compression: Compression.GZIP });
  }

  /** Stores a bundle of these objects. */
  bundle(objects: readonly unknown[], sealTo: Uint8Array): BundleRef {
    return this.store(Buffer.from(objects.map((one) => `${JSON.stringify(one)}\n`).join("")), sealTo);
  }

  /** Stores content and names it, its key sealed to the X25519 key. */
  store(plain: Uint8Array, sealTo: Uint8Array): BundleRef {
    const digest = parseDigest(`sha256:${createHash("sha256").update(plain).digest("hex")}`);
    const keyId = "test";
    const key = hkdfSync("sha256", this.#secret, new Uint8Array(), bundleKeyInfo(keyId, digest), 32);
    const nonce = randomBytes(12);
    const ciphertext = encrypt(Buffer.from(key), nonce, { aad: digest, plain: gzipSync(plain) });
    const envelope = create(BundleEnvelopeSchema, { ciphertext, nonce, keyId, compression: Compression.GZIP });
    const chunks = cutChunks(toBinary(BundleEnvelopeSchema, envelope));
    for (const [n, chunk] of chunks.entries()) this.#chunks.set(`${digest}/${n}`, chunk);
    const size = BigInt(plain.length);
    return create(BundleRefSchema, {
      digest,
      size,
      chunks: chunks.length,
      key: seal(Buffer.from(key), sealTo, digest),
    });
  }
}

function seal(key: Uint8Array, recipient: Uint8Array, digest: Digest) {
  const ephemeral = generateKeyPairSync("x25519");
  const ephemeralPublic = Buffer.from(ephemeral.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const x = Buffer.from(recipient).toString("base64url");
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "X25519", x }, format: "jwk" });
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey });
  const salt = Buffer.concat([ephemeralPublic, recipient]);
  const wrapping = Buffer.from(hkdfSync("sha256", shared, salt, domains.seal, 32));
  const nonce = randomBytes(12);
  return { ephemeralPublic, nonce, sealed: encrypt(wrapping, nonce, { aad: digest, plain: key }) };
}

function encrypt(
  key: Uint8Array,
  nonce: Uint8Array,
  { aad, plain }: { readonly aad: string; readonly plain: Uint8Array },
) {
  const cipher = createCipheriv("aes-256-gcm", key, nonce);
  cipher.setAAD(Buffer.from(aad));
  return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
}
