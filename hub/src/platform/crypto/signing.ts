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
import { domains, Fault, signedBytes } from "@capstan/proto";
import type { KeyEndorsement, KeyedSignature, Signer, VerificationKey } from "../../identity/port.ts";
import { diskFault, errorCode, readOrMake } from "../disk/files.ts";

interface SigningKey extends VerificationKey {
  readonly privateKey: KeyObject;
  readonly public: KeyObject;
}

/** The Ed25519 keys in `folder` (`0001.pem`, `0002.pem`, …; 0600): one signs, all verify. Made at the first start. */
export async function loadSigner(folder: string): Promise<Signer> {
  let ring = ringOf(await readKeys(folder));
  let current = ring.newest;
  return {
    sign: (bytes) => signWith(current, bytes),
    verify: (bytes, { keyId, signature }) => {
      const key = ring.byId.get(keyId);
      return key !== undefined && verify(null, bytes, key.public, signature);
    },
    keys: () => ring.newestFirst,
    endorsements: () => ring.endorsements,
    current: () => current.keyId,
    use: (keyId) => {
      current = ring.byId.get(keyId) ?? current;
    },
    reload: async () => {
      const files = await keyFiles(folder);
      if (files.join() === ring.files || files.length === 0) return;
      ring = ringOf(await readKeys(folder));
      current = ring.byId.get(current.keyId) ?? ring.newest;
    },
  };
}

/** Adds a key, which the ones before vouch for; a hub that runs on the folder offers it to agents first. Returns its id. */
export async function addSigningKey(folder: string): Promise<string> {
  const files = await keyFiles(folder);
  if (files.length === 0) throw noKeys(folder);
  const next = String(Number((files.at(-1) ?? "0000").slice(0, 4)) + 1).padStart(4, "0");
  return toKey(await readOrMake(join(folder, `${next}.pem`), newKey)).keyId;
}

function noKeys(folder: string): Fault {
  return new Fault("bad-input", {
    message: "expected the keys of a hub, found none.",
    where: { file: folder },
    next: "Name the folder that `data` in the hub's config says; the first start of a hub makes the first keys.",
  });
}

async function readKeys(folder: string): Promise<readonly (readonly [string, SigningKey])[]> {
  const files = await keyFiles(folder);
  const names = files.length === 0 ? ["0001.pem"] : files;
  return Promise.all(names.map(async (name) => [name, toKey(await readOrMake(join(folder, name), newKey))] as const));
}

function ringOf(named: readonly (readonly [string, SigningKey])[]) {
  const keys = named.map(([, key]) => key);
  const newest = keys.at(-1);
  if (newest === undefined) throw new Error("unreachable: a signer has a key");
  return {
    newest,
    files: named.map(([name]) => name).join(),
    byId: new Map(keys.map((key) => [key.keyId, key])),
    endorsements: keys.slice(1).map((key, i) => endorse(key, keys[i] ?? key)),
    newestFirst: keys.map(({ keyId, publicKey }) => ({ keyId, publicKey })).reverse(),
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
