import "reflect-metadata";
import {
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  verify,
} from "node:crypto";
import { gunzipSync } from "node:zlib";
import { fromBinary } from "@bufbuild/protobuf";
import { domains, signedBytes } from "@capstan/proto";
import type { Credential, VerificationKey } from "@capstan/proto/agent";
import { BundleEnvelopeSchema, type BundleRef, type SignedDesiredState } from "@capstan/proto/desired";
import * as x509 from "@peculiar/x509";
import { nkeys } from "nats";

/** The private keys of one simulated agent, and what it asks a certificate with. */
export interface AgentKeys {
  /** PEM. */
  readonly tls: string;
  /** PKCS#10, DER. */
  readonly csr: Uint8Array;
  /** NATS user seed. */
  readonly nats: Uint8Array;
  readonly natsPublic: string;
  readonly sealing: KeyObject;
  /** Raw, 32 bytes. */
  readonly sealingPublic: Uint8Array;
}

/** Who a simulated agent is. */
export interface AgentIdentity {
  readonly fleet: string;
  readonly keys: AgentKeys;
  readonly credential: Credential;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const tagBytes = 16;

/** A new key pair of each sort that an agent holds, and the requests that enrolment signs. */
export async function makeKeys(): Promise<AgentKeys> {
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({ keys, signingAlgorithm: algorithm });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  const user = nkeys.createUser();
  const sealing = generateKeyPairSync("x25519");
  return {
    tls: pem("PRIVATE KEY", new Uint8Array(pkcs8)),
    csr: new Uint8Array(request.rawData),
    nats: user.getSeed(),
    natsPublic: user.getPublicKey(),
    sealing: sealing.privateKey,
    sealingPublic: rawPublic(sealing.publicKey),
  };
}

/** Throws where no key that was given at enrolment signed the state. */
export function checkSignature(signed: SignedDesiredState, keys: readonly VerificationKey[]): void {
  const key = keys.find(({ id }) => id === signed.keyId);
  if (key === undefined) throw new Error(`the desired state is signed by the unknown key ${signed.keyId}`);
  const good = verify(null, signedBytes(domains.desired, signed.payload), verificationKey(key), signed.signature);
  if (!good) throw new Error(`the signature of a desired state by ${key.id} is not good`);
}

/** A herd shares its hub's keys: each is read once. */
const verificationKeys = new Map<string, KeyObject>();

function verificationKey({ publicKey }: VerificationKey): KeyObject {
  const x = Buffer.from(publicKey).toString("base64url");
  const known = verificationKeys.get(x);
  if (known !== undefined) return known;
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  verificationKeys.set(x, key);
  return key;
}

/** The plain content of a bundle, checked against its digest. */
export function openBundle(ref: BundleRef, envelopeBytes: Uint8Array, own: AgentKeys): Uint8Array {
  const { key, digest } = ref;
  if (key === undefined) throw new Error(`bundle ${digest} came without its key`);
  const ephemeral = createPublicKey({
    key: { kty: "OKP", crv: "X25519", x: Buffer.from(key.ephemeralPublic).toString("base64url") },
    format: "jwk",
  });
  const shared = diffieHellman({ privateKey: own.sealing, publicKey: ephemeral });
  const salt = Buffer.concat([key.ephemeralPublic, own.sealingPublic]);
  const wrapping = new Uint8Array(hkdfSync("sha256", shared, salt, domains.seal, 32));
  const contentKey = decrypt(wrapping, { nonce: key.nonce, ciphertext: key.sealed }, digest);
  const plain = gunzipSync(decrypt(contentKey, fromBinary(BundleEnvelopeSchema, envelopeBytes), digest));
  const found = `sha256:${createHash("sha256").update(plain).digest("hex")}`;
  if (found !== digest) throw new Error(`expected bundle ${digest}, found ${found}`);
  return plain;
}

function decrypt(
  key: Uint8Array,
  sealed: { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array },
  aad: string,
): Uint8Array {
  const split = sealed.ciphertext.length - tagBytes;
  const open = createDecipheriv("aes-256-gcm", key, sealed.nonce, { authTagLength: tagBytes });
  open.setAAD(Buffer.from(aad)).setAuthTag(sealed.ciphertext.subarray(split));
  return Buffer.concat([open.update(sealed.ciphertext.subarray(0, split)), open.final()]);
}

function rawPublic(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}

/** DER as PEM. */
export function pem(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString("base64")
      .match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join("\n")}\n-----END ${label}-----\n`;
}
