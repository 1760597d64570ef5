import { createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { fromSeed, type KeyPair } from "@nats-io/nkeys";

const pkcs8Head = Uint8Array.from([0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20]);
const base32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/** An nkey from its seed text, signing with Node's own Ed25519: measured several times faster than the library's. */
export function nativeKeyPair(seed: string): KeyPair {
  const slow = fromSeed(new TextEncoder().encode(seed.trim()));
  // A seed's text is base32 of 2 prefix bytes, 32 bytes seed, 2 bytes CRC; `fromSeed` has checked it.
  const raw = decodeBase32(seed.trim()).subarray(2, 34);
  const privateKey = createPrivateKey({ key: Buffer.concat([pkcs8Head, raw]), format: "der", type: "pkcs8" });
  const publicKey = createPublicKey(privateKey);
  const name = slow.getPublicKey();
  // The library works its text out anew at each call, in milliseconds, and JWTs ask for it at each signature.
  const secret = slow.getPrivateKey();
  return {
    getPublicKey: () => name,
    getPrivateKey: () => secret,
    getSeed: () => slow.getSeed(),
    sign: (input) => new Uint8Array(sign(null, input, privateKey)),
    verify: (input, signature) => verify(null, input, publicKey, signature),
    clear: () => slow.clear(),
    seal: (input, recipient, nonce) => slow.seal(input, recipient, nonce),
    open: (message, sender) => slow.open(message, sender),
  };
}

function decodeBase32(text: string): Uint8Array {
  const bytes: number[] = [];
  let bits = 0;
  let value = 0;
  for (const char of text) {
    value = (value << 5) | base32.indexOf(char);
    bits += 5;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push((value >>> bits) & 0xff);
    value &= (1 << bits) - 1;
  }
  return Uint8Array.from(bytes);
}
