import { fromBytes, toBytes } from "./bytes.ts";

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** The bytes in base64, padded. */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** The text that base64 holds; line ends are passed over. A number: the place of the byte that Go refuses. */
export function decodeBase64(value: string): string | number {
  const bad = firstBad(toBytes(value));
  if (bad !== undefined) return bad;
  return fromBytes(Uint8Array.from(atob(value.replace(/[\r\n]/g, "")), (character) => character.charCodeAt(0)));
}

function firstBad(input: Uint8Array): number | undefined {
  for (let at = 0; ; ) {
    for (let held = 0; held < 4; ) {
      if (at === input.length) return held === 0 ? undefined : at - held;
      const byte = input[at] ?? 0;
      at += 1;
      if (byte === 10 || byte === 13) {
        // Go counts an end in the middle of a group as a character of it where the input ends too soon.
        continue;
      }
      if (alphabet.includes(String.fromCharCode(byte))) {
        held += 1;
        continue;
      }
      return byte === 61 && held >= 2 ? badPadding(input, at, held) : at - 1;
    }
  }
}

function badPadding(input: Uint8Array, from: number, held: number): number | undefined {
  const pastEnds = (start: number) => {
    let place = start;
    while (input[place] === 10 || input[place] === 13) place += 1;
    return place;
  };
  let at = pastEnds(from);
  if (held === 2) {
    if (at === input.length) return input.length;
    if (input[at] !== 61) return at - 1;
    at = pastEnds(at + 1);
  }
  return at < input.length ? at : undefined;
}
