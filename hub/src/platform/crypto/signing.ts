import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { domains, signedBytes } from "@capstan/proto";
import type { KeyEndorsement, KeyedSignature, Signer, VerificationKey } from "../../identity/port.ts";
import { diskFault, errorCode, readOrMake } from "../disk/files.ts";

interface SigningKey extends VerificationKey {
  readonly privateKey: KeyObject;
  readonly public: KeyObject;
}

/** The Ed25519 keys in `folder` (`0001.pem`, `0002.pem`, …; 0600): the highest signs, all verify. Made at the first start. */
export async function loadSigner(folder: string): Promise<Signer> {
  const files = await keyFiles(folder);
  const names = files.length === 0 ? ["0001.pem"] : files;
  const keys: SigningKey[] = [];
  for (const name of names) keys.push(toKey(await readOrMake(join(folder, name), newKey)));
  return makeSigner(keys);
}

/** Adds a key that signs from now on; the ones before vouch for it. Load the signer again afterwards. */
export async function addSigningKey(folder: string): Promise<void> {
  const last = (await keyFiles(folder)).at(-1) ?? "0000.pem";
  const next = String(Number(last.slice(0, 4)) + 1).padStart(4, "0");
  await readOrMake(join(folder, `${next}.pem`), newKey);
}

function makeSigner(keys: readonly SigningKey[]): Signer {
  const current = keys.at(-1);
  if (current === undefined) throw new Error("unreachable: a signer has a key");
  const byId = new Map(keys.map((key) => [key.keyId, key]));
  const endorsements = keys.slice(1).map((key, i) => endorse(key, keys[i] ?? key));
  const newestFirst = keys.map(({ keyId, publicKey }) => ({ keyId, publicKey })).reverse();
  return {
    sign: (bytes) => signWith(current, bytes),
    verify: (bytes, { keyId, signature }) => {
      const key = byId.get(keyId);
      return key !== undefined && verify(null, bytes, key.public, signature);
    },
    keys: () => newestFirst,
    endorsements: () => endorsements,
  };
}

function endorse(key: SigningKey, by: SigningKey): KeyEndorsement {
  const { keyId, publicKey } = key;
  return { key: { keyId, publicKey }, by: signWith(by, signedBytes(domains.verificationKey, publicKey)) };
}

function signWith(key: SigningKey, bytes: Uint8Array): KeyedSignature {
  return { keyId: key.keyId, signature: new Uint8Array(sign(null, bytes, key.privateKey)) };
}

function newKey(): string {
  return generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
}

function toKey(pem: string): SigningKey {
  const privateKey = createPrivateKey(pem);
  const key = createPublicKey(privateKey);
  const publicKey = new Uint8Array(Buffer.from(key.export({ format: "jwk" }).x ?? "", "base64url"));
  const keyId = createHash("sha256").update(publicKey).digest("hex").slice(0, 16);
  return { keyId, publicKey, privateKey, public: key };
}

async function keyFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^\d{4}\.pem$/.test(name)).sort();
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") return [];
    throw diskFault(thrown, folder);
  }
}
