import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
  X509Certificate,
} from "node:crypto";
import { Fault } from "@capstan/proto";
import { nkeys } from "nats";
import type { PrivateKeys } from "../../identity/model.ts";
import type { AgentCrypto } from "../../identity/port.ts";
import { bitString, context, objectIdentifier, sequence, smallInteger } from "./der.ts";

/** The agent's keys on `node:crypto`, and on the NATS client for nkeys. */
export const agentCrypto: AgentCrypto = {
  makeKeys,
  certificateRequest,
  natsPublic: (seed) => nkeys.fromSeed(new TextEncoder().encode(seed)).getPublicKey(),
  sealingPublic: (key) => rawPublic(createPublicKey(readPrivate(key))),
  signTls: (tlsKey, bytes) => sign("sha256", bytes, readPrivate(tlsKey)),
  verifyEd25519,
  sha256: (bytes) => createHash("sha256").update(bytes).digest(),
  validity,
};

function makeKeys(): PrivateKeys {
  return {
    tls: printPrivate(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey),
    nats: new TextDecoder().decode(nkeys.createUser().getSeed()),
    sealing: printPrivate(generateKeyPairSync("x25519").privateKey),
  };
}

const ecdsaWithSha256 = sequence(objectIdentifier(1, 2, 840, 10045, 4, 3, 2));

/** RFC 2986: version 0, empty subject, the key, no attributes; the hub writes the rest of the certificate itself. */
function certificateRequest(tlsKey: string): Uint8Array {
  const key = readPrivate(tlsKey);
  const publicKey = createPublicKey(key).export({ type: "spki", format: "der" });
  const info = sequence(smallInteger(0), sequence(), publicKey, context(0));
  return sequence(info, ecdsaWithSha256, bitString(sign("sha256", info, key)));
}

function verifyEd25519(publicKey: Uint8Array, bytes: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  const x = Buffer.from(publicKey).toString("base64url");
  return verify(null, bytes, createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" }), signature);
}

function validity(certificate: Uint8Array): { notBefore: number; notAfter: number } {
  try {
    const { validFromDate, validToDate } = new X509Certificate(certificate);
    return { notBefore: validFromDate.getTime(), notAfter: validToDate.getTime() };
  } catch (cause) {
    throw new Fault("certificate-refused", { message: "expected a DER certificate, found something else.", cause });
  }
}

/** A private key from its text in `PrivateKeys`. */
export function readPrivate(text: string): KeyObject {
  return createPrivateKey({ key: Buffer.from(text, "base64"), format: "der", type: "pkcs8" });
}

function printPrivate(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "der" }).toString("base64");
}

/** The 32 raw bytes of an X25519 public key. */
export function rawPublic(key: KeyObject): Uint8Array {
  return Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url");
}
