/** Checksums that templates use (FIPS 180-4, RFC 1950): pure, and small enough to need no package. */

export function hexOf(bytes: Uint8Array): string {
  let hex = "";
  for (const byte of bytes) hex += byte.toString(16).padStart(2, "0");
  return hex;
}

/** Adler-32 (RFC 1950), for sprig. */
export function adler32(bytes: Uint8Array): number {
  let a = 1;
  let b = 0;
  for (const byte of bytes) {
    a = (a + byte) % 65521;
    b = (b + a) % 65521;
  }
  return ((b << 16) | a) >>> 0;
}

/** The message, a one bit, zeros, and its length in bits at the end of the last block. */
function padded(bytes: Uint8Array, block: number, lengthSize: number): DataView {
  const size = Math.ceil((bytes.length + 1 + lengthSize) / block) * block;
  const message = new Uint8Array(size);
  message.set(bytes);
  message[bytes.length] = 0x80;
  const view = new DataView(message.buffer);
  view.setBigUint64(size - 8, BigInt(bytes.length) * 8n);
  return view;
}

const left = (value: number, by: number) => (value << by) | (value >>> (32 - by));
const right = (value: number, by: number) => (value >>> by) | (value << (32 - by));

/** SHA-1 (RFC 3174), for sprig; nothing is protected by it. */
export function sha1(bytes: Uint8Array): Uint8Array {
  const view = padded(bytes, 64, 8);
  const hash = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0];
  const words = new Int32Array(80);
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getInt32(block + at * 4);
    for (let at = 16; at < 80; at += 1) {
      words[at] = left((words[at - 3] ?? 0) ^ (words[at - 8] ?? 0) ^ (words[at - 14] ?? 0) ^ (words[at - 16] ?? 0), 1);
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0] = hash;
    for (let at = 0; at < 80; at += 1) {
      const [mix, constant] =
        at < 20
          ? [(b & c) | (~b & d), 0x5a827999]
          : at < 40
            ? [b ^ c ^ d, 0x6ed9eba1]
            : at < 60
              ? [(b & c) | (b & d) | (c & d), 0x8f1bbcdc]
              : [b ^ c ^ d, 0xca62c1d6];
      const next = (left(a, 5) + mix + e + constant + (words[at] ?? 0)) | 0;
      [a, b, c, d, e] = [next, a, left(b, 30), c, d];
    }
    for (const [at, value] of [a, b, c, d, e].entries()) hash[at] = ((hash[at] ?? 0) + value) | 0;
  }
  return bytesOf(hash);
}

function bytesOf(words: readonly number[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(words.length * 4));
  for (const [at, word] of words.entries()) view.setInt32(at * 4, word);
  return new Uint8Array(view.buffer);
}

function primes(count: number): number[] {
  const found: number[] = [];
  for (let candidate = 2; found.length < count; candidate += 1) {
    if (found.every((prime) => candidate % prime !== 0)) found.push(candidate);
  }
  return found;
}

/** The first 64 bits of a root's fraction, reckoned exactly. */
function rootFraction(prime: number, degree: 2n | 3n): bigint {
  const target = BigInt(prime) << (64n * degree);
  let low = 0n;
  let high = 1n << 68n;
  while (low < high) {
    const middle = (low + high + 1n) >> 1n;
    if (middle ** degree <= target) low = middle;
    else high = middle - 1n;
  }
  return BigInt.asUintN(64, low);
}

const constants64 = primes(80).map((prime) => rootFraction(prime, 3n));
const initial64 = primes(8).map((prime) => rootFraction(prime, 2n));
const constants32 = Int32Array.from(constants64.slice(0, 64), (value) => Number(BigInt.asIntN(32, value >> 32n)));
const initial32 = initial64.map((value) => Number(BigInt.asIntN(32, value >> 32n)));

/** SHA-256 (RFC 6234), for sprig. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const view = padded(bytes, 64, 8);
  const hash = [...initial32];
  const words = new Int32Array(64);
  for (let block = 0; block < view.byteLength; block += 64) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getInt32(block + at * 4);
    for (let at = 16; at < 64; at += 1) {
      const [x, y] = [words[at - 15] ?? 0, words[at - 2] ?? 0];
      const small0 = right(x, 7) ^ right(x, 18) ^ (x >>> 3);
      const small1 = right(y, 17) ^ right(y, 19) ^ (y >>> 10);
      words[at] = ((words[at - 16] ?? 0) + small0 + (words[at - 7] ?? 0) + small1) | 0;
    }
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = hash;
    for (let at = 0; at < 64; at += 1) {
      const one =
        (h +
          (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
          ((e & f) ^ (~e & g)) +
          (constants32[at] ?? 0) +
          (words[at] ?? 0)) |
        0;
      const two = ((right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    for (const [at, value] of [a, b, c, d, e, f, g, h].entries()) hash[at] = ((hash[at] ?? 0) + value) | 0;
  }
  return bytesOf(hash);
}

const right64 = (value: bigint, by: bigint) => BigInt.asUintN(64, (value >> by) | (value << (64n - by)));
const mask = (1n << 64n) - 1n;

/** SHA-512 (RFC 6234), for sprig. */
export function sha512(bytes: Uint8Array): Uint8Array {
  const view = padded(bytes, 128, 16);
  const hash = [...initial64];
  const words = new BigUint64Array(80);
  for (let block = 0; block < view.byteLength; block += 128) {
    for (let at = 0; at < 16; at += 1) words[at] = view.getBigUint64(block + at * 8);
    for (let at = 16; at < 80; at += 1) {
      const [x, y] = [words[at - 15] ?? 0n, words[at - 2] ?? 0n];
      const small0 = right64(x, 1n) ^ right64(x, 8n) ^ (x >> 7n);
      const small1 = right64(y, 19n) ^ right64(y, 61n) ^ (y >> 6n);
      words[at] = ((words[at - 16] ?? 0n) + small0 + (words[at - 7] ?? 0n) + small1) & mask;
    }
    let [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n, g = 0n, h = 0n] = hash;
    for (let at = 0; at < 80; at += 1) {
      const one =
        h +
        (right64(e, 14n) ^ right64(e, 18n) ^ right64(e, 41n)) +
        ((e & f) ^ (~e & mask & g)) +
        (constants64[at] ?? 0n) +
        (words[at] ?? 0n);
      const two = (right64(a, 28n) ^ right64(a, 34n) ^ right64(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c));
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) & mask, c, b, a, (one + two) & mask];
    }
    for (const [at, value] of [a, b, c, d, e, f, g, h].entries()) hash[at] = ((hash[at] ?? 0n) + value) & mask;
  }
  const out = new DataView(new ArrayBuffer(64));
  for (const [at, word] of hash.entries()) out.setBigUint64(at * 8, word);
  return new Uint8Array(out.buffer);
}
