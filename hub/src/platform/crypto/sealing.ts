import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
  randomBytes,
} from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { bundleKeyInfo, domains, Fault } from "@capstan/proto";
import type { SealedBundle, SealedContentKey, Sealing } from "../../identity/port.ts";
import { diskFault, errorCode, readOrMake } from "../disk/files.ts";

const nonceBytes = 12;
const tagBytes = 16;
const x25519Head = Buffer.from("302a300506032b656e032100", "hex");

/** The bundle secrets in `folder` (`0001.key`, …: 64 hex digits; 0600): the highest encrypts. Made at the first start. */
export async function loadSealing(folder: string): Promise<Sealing> {
  const names = await secretFiles(folder);
  const secrets = new Map<string, Uint8Array>();
  let current = "";
  for (const name of names.length === 0 ? ["0001.key"] : names) {
    const text = await readOrMake(join(folder, name), () => `${randomBytes(32).toString("hex")}\n`);
    const secret = Buffer.from(text.trim(), "hex");
    current = createHash("sha256").update("capstan.v1.bundle-secret\0").update(secret).digest("hex").slice(0, 16);
    secrets.set(current, secret);
  }
  return makeSealing(secrets, current);
}

function makeSealing(secrets: ReadonlyMap<string, Uint8Array>, current: string): Sealing {
  const contentKey = (keyId: string, digest: string): Buffer => {
    const secret = secrets.get(keyId);
    if (secret === undefined) throw mismatch(digest, `the bundle secret ${keyId}, which this hub does not have`);
    return Buffer.from(hkdfSync("sha256", secret, new Uint8Array(), bundleKeyInfo(keyId, digest), 32));
  };
  return {
    currentKeyId: () => current,
    encrypt: (digest, plain) => {
      const key = contentKey(current, digest);
      // Another content under the same key gets another nonce, the same content the same bytes.
      const nonce = createHmac("sha256", key)
        .update("capstan.v1.nonce\0")
        .update(plain)
        .digest()
        .subarray(0, nonceBytes);
      return {
        keyId: current,
        nonce: new Uint8Array(nonce),
        ciphertext: encryptGcm({ key, nonce, aad: digest }, plain),
      };
    },
    decrypt: (digest, sealed) => decryptBundle(contentKey(sealed.keyId, digest), digest, sealed),
    sealKey: ({ digest, keyId }, sealingKey) => sealTo(sealingKey, digest, contentKey(keyId, digest)),
  };
}

/** Ephemeral X25519, HKDF-SHA256, AES-256-GCM, as `SealedKey` in the schema says. */
function sealTo(sealingKey: string, digest: string, secret: Uint8Array): SealedContentKey {
  const recipient = recipientKey(sealingKey);
  const ephemeral = generateKeyPairSync("x25519");
  const ephemeralPublic = Buffer.from(ephemeral.publicKey.export({ format: "jwk" }).x ?? "", "base64url");
  const shared = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: recipient.key });
  const salt = Buffer.concat([ephemeralPublic, recipient.raw]);
  const key = Buffer.from(hkdfSync("sha256", shared, salt, domains.seal, 32));
  const nonce = randomBytes(nonceBytes);
  const sealed = encryptGcm({ key, nonce, aad: digest }, secret);
  return { ephemeralPublic: new Uint8Array(ephemeralPublic), nonce: new Uint8Array(nonce), sealed };
}

interface Recipient {
  readonly raw: Buffer;
  readonly key: KeyObject;
}

/** Keys of the clusters that were sealed to last: reading one costs a quarter of a seal. */
const recipients = new Map<string, Recipient>();
const recipientsKept = 10_000;

function recipientKey(hex: string): Recipient {
  const known = recipients.get(hex);
  if (known !== undefined) return known;
  const recipient = readRecipient(hex);
  recipients.set(hex, recipient);
  for (const oldest of recipients.keys()) {
    if (recipients.size <= recipientsKept) break;
    recipients.delete(oldest);
  }
  return recipient;
}

function readRecipient(hex: string): Recipient {
  const raw = Buffer.from(hex, "hex");
  if (!/^[0-9a-f]{64}$/.test(hex) || raw.every((byte) => byte === 0)) {
    throw new Fault("bad-input", {
      message: `expected an X25519 public key of 64 hex digits, found ${JSON.stringify(hex.slice(0, 80))}.`,
    });
  }
  return { raw, key: createPublicKey({ key: Buffer.concat([x25519Head, raw]), format: "der", type: "spki" }) };
}

interface GcmKey {
  readonly key: Uint8Array;
  readonly nonce: Uint8Array;
  readonly aad: string;
}

function encryptGcm({ key, nonce, aad }: GcmKey, plain: Uint8Array): Uint8Array {
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(aad));
  return new Uint8Array(Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]));
}

function decryptBundle(key: Uint8Array, digest: string, { nonce, ciphertext }: SealedBundle): Uint8Array {
  try {
    const body = ciphertext.subarray(0, ciphertext.length - tagBytes);
    const decipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: tagBytes }).setAAD(
      Buffer.from(digest),
    );
    decipher.setAuthTag(ciphertext.subarray(ciphertext.length - tagBytes));
    return new Uint8Array(Buffer.concat([decipher.update(body), decipher.final()]));
  } catch (cause) {
    throw mismatch(digest, "one that does not decrypt", cause);
  }
}

function mismatch(digest: string, found: string, cause?: unknown): Fault {
  return new Fault("digest-mismatch", { message: `expected the bundle ${digest}, found ${found}.`, cause });
}

async function secretFiles(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^\d{4}\.key$/.test(name)).sort();
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") return [];
    throw diskFault(thrown, folder);
  }
}
