import { fromBytes, toBytes } from "./bytes.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const padding = 61;
const group = 8;

/** The bytes in base32, padded. */
export function encodeBase32(bytes: Uint8Array): string {
  let bits = 0;
  let value = 0;
  let result = "";
  for (const byte of bytes) {
    value = (value << 8) | byte;
    bits += 8;
    for (; bits >= 5; bits -= 5) result += alphabet[(value >> (bits - 5)) & 31];
    value &= (1 << bits) - 1;
  }
  if (bits > 0) result += alphabet[(value << (5 - bits)) & 31];
  return result.padEnd(Math.ceil(result.length / group) * group, "=");
}

/** The text that base32 holds; line ends do not count. A number: the place of the byte that Go refuses. */
export function decodeBase32(value: string): string | number {
  const input = toBytes(value).filter((byte) => byte !== 10 && byte !== 13);
  const codes: number[] = [];
  for (let at = 0; at < input.length; at += 1) {
    const held = at % group;
    const left = input.length - at - 1;
    const byte = input[at] ?? 0;
    if (byte === padding && held >= 2 && left < group) {
      const bad = badPadding(input, at, held);
      return bad ?? decoded(codes);
    }
    const code = alphabet.indexOf(String.fromCharCode(byte));
    if (code < 0) return at;
    codes.push(code);
  }
  return input.length % group === 0 ? decoded(codes) : input.length - (input.length % group);
}

function badPadding(input: Uint8Array, at: number, held: number): number | undefined {
  const rest = input.subarray(at + 1);
  if (rest.length + held < group - 1) return input.length;
  for (let next = 0; next < group - 1 - held; next += 1) {
    if (next < rest.length && rest[next] !== padding) return input.length - rest.length + next - 1;
  }
  // As many characters as these end within a byte.
  return held === 3 || held === 6 ? at : undefined;
}

function decoded(codes: readonly number[]): string {
  let bits = 0;
  let held = 0;
  const bytes: number[] = [];
  for (const code of codes) {
    held = ((held << 5) | code) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
  }
  return fromBytes(Uint8Array.from(bytes));
}
