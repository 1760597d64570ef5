import { sha256 } from "./hashes.ts";

/** HMAC-SHA256 (RFC 2104). */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(64);
  block.set(key.length > 64 ? sha256(key) : key);
  const inner = sha256(
    join(
      block.map((byte) => byte ^ 0x36),
      message,
    ),
  );
  return sha256(
    join(
      block.map((byte) => byte ^ 0x5c),
      inner,
    ),
  );
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** One round of PBKDF2-HMAC-SHA256, as scrypt uses it. */
function pbkdf2(password: Uint8Array, salt: Uint8Array, length: number): Uint8Array {
  const blocks: Uint8Array[] = [];
  for (let index = 1; blocks.length * 32 < length; index += 1) {
    const counter = new Uint8Array([index >>> 24, index >>> 16, index >>> 8, index]);
    blocks.push(hmacSha256(password, join(salt, counter)));
  }
  return join(...blocks).slice(0, length);
}

/** scrypt (RFC 7914) with N a power of two. */
export function scrypt(given: {
  readonly password: Uint8Array;
  readonly salt: Uint8Array;
  readonly n: number;
  readonly r: number;
  readonly p: number;
  readonly length: number;
}): Uint8Array {
  const { password, salt, n, r, p } = given;
  const mixed = pbkdf2(password, salt, p * 128 * r);
  for (let block = 0; block < p; block += 1) {
    const bytes = mixed.subarray(block * 128 * r, (block + 1) * 128 * r);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const words = Uint32Array.from({ length: 32 * r }, (_, at) => view.getUint32(at * 4, true));
    const result = romix(words, n, r);
    for (const [at, word] of result.entries()) view.setUint32(at * 4, word, true);
  }
  return pbkdf2(password, mixed, given.length);
}

function romix(input: Uint32Array, n: number, r: number): Uint32Array {
  const size = 32 * r;
  const table = new Uint32Array(size * n);
  let current = input;
  let spare: Uint32Array = new Uint32Array(size);
  for (let at = 0; at < n; at += 1) {
    table.set(current, at * size);
    blockMix(current, spare, r);
    [current, spare] = [spare, current];
  }
  for (let at = 0; at < n; at += 1) {
    const from = ((current[(2 * r - 1) * 16] ?? 0) & (n - 1)) * size;
    for (let word = 0; word < size; word += 1) current[word] = (current[word] ?? 0) ^ (table[from + word] ?? 0);
    blockMix(current, spare, r);
    [current, spare] = [spare, current];
  }
  return current;
}

function blockMix(from: Uint32Array, into: Uint32Array, r: number): void {
  const x = from.slice((2 * r - 1) * 16, 2 * r * 16);
  for (let block = 0; block < 2 * r; block += 1) {
    for (let word = 0; word < 16; word += 1) x[word] = (x[word] ?? 0) ^ (from[block * 16 + word] ?? 0);
    salsa8(x);
    into.set(x, ((block >> 1) + (block % 2 === 0 ? 0 : r)) * 16);
  }
}

// The quarter rounds of a double round: columns, then rows.
const quarters = [
  [0, 4, 8, 12],
  [5, 9, 13, 1],
  [10, 14, 2, 6],
  [15, 3, 7, 11],
  [0, 1, 2, 3],
  [5, 6, 7, 4],
  [10, 11, 8, 9],
  [15, 12, 13, 14],
] as const;

function salsa8(block: Uint32Array): void {
  const x = Int32Array.from(block);
  const turn = (sum: number, by: number) => (sum << by) | (sum >>> (32 - by));
  const at = (index: number) => x[index] ?? 0;
  for (let round = 0; round < 4; round += 1) {
    for (const [a, b, c, d] of quarters) {
      x[b] = at(b) ^ turn((at(a) + at(d)) | 0, 7);
      x[c] = at(c) ^ turn((at(b) + at(a)) | 0, 9);
      x[d] = at(d) ^ turn((at(c) + at(b)) | 0, 13);
      x[a] = at(a) ^ turn((at(d) + at(c)) | 0, 18);
    }
  }
  for (let index = 0; index < 16; index += 1) block[index] = ((block[index] ?? 0) + at(index)) | 0;
}
