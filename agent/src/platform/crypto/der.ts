/** The few pieces of DER (X.690) that a PKCS#10 request is made of. */

/** Any element: tag, length, content. */
export function element(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const head = length < 0x80 ? [tag, length] : [tag, ...longLength(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function longLength(length: number): number[] {
  const octets: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) octets.unshift(rest & 0xff);
  return [0x80 | octets.length, ...octets];
}

/** A sequence of elements. */
export const sequence = (...parts: readonly Uint8Array[]): Uint8Array => element(0x30, ...parts);

/** A non-negative integer below 128. */
export const smallInteger = (value: number): Uint8Array => element(0x02, Uint8Array.of(value));

/** A bit string of whole octets. */
export const bitString = (bytes: Uint8Array): Uint8Array => element(0x03, Uint8Array.of(0), bytes);

/** Context-specific, constructed: `[n] { … }`. */
export const context = (n: number, ...parts: readonly Uint8Array[]): Uint8Array => element(0xa0 | n, ...parts);

/** An object identifier from its arcs. */
export function objectIdentifier(first: number, second: number, ...arcs: readonly number[]): Uint8Array {
  const octets = [first * 40 + second];
  for (const arc of arcs) {
    const digits = [arc & 0x7f];
    for (let rest = arc >>> 7; rest > 0; rest >>>= 7) digits.unshift(0x80 | (rest & 0x7f));
    octets.push(...digits);
  }
  return element(0x06, Uint8Array.from(octets));
}
