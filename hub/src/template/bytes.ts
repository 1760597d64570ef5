/**
 * Go's strings are bytes. Here they are JavaScript strings in which a byte that is no part of valid UTF-8 stands as the
 * lone surrogate U+DC80..U+DCFF, so that texts cut inside a character can be joined again.
 */
const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
// biome-ignore lint/suspicious/noControlCharactersInRegex: ASCII is the range that is meant
const ascii = /^[\x00-\x7f]*$/;
const escaped = /[\udc80-\udcff]/;

/** Whether every character is one byte. */
export function isAscii(text: string): boolean {
  return ascii.test(text);
}

/** `len` of a Go string. */
export function byteLength(text: string): number {
  return isAscii(text) ? text.length : toBytes(text).length;
}

/** The bytes of a Go string. */
export function toBytes(text: string): Uint8Array {
  if (!escaped.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  let run = "";
  const flush = () => {
    bytes.push(...encoder.encode(run));
    run = "";
  };
  for (const character of text) {
    const code = character.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) {
      flush();
      bytes.push(code - 0xdc00);
    } else {
      run += character;
    }
  }
  flush();
  return Uint8Array.from(bytes);
}

/** A Go string of bytes. */
export function fromBytes(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

function decodeEscaping(bytes: Uint8Array): string {
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const width = sequenceWidth(bytes, at);
    if (width === 0) {
      text += String.fromCharCode(0xdc00 + (bytes[at] ?? 0));
      at += 1;
    } else {
      text += strict.decode(bytes.subarray(at, at + width));
      at += width;
    }
  }
  return text;
}

/** Bytes of the valid UTF-8 sequence at a place; 0 where none begins. */
function sequenceWidth(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  const width =
    first < 0x80
      ? 1
      : first >= 0xc2 && first < 0xe0
        ? 2
        : first >= 0xe0 && first < 0xf0
          ? 3
          : first >= 0xf0 && first < 0xf5
            ? 4
            : 0;
  if (width <= 1) return width;
  if (at + width > bytes.length) return 0;
  try {
    strict.decode(bytes.subarray(at, at + width));
    return width;
  } catch {
    return 0;
  }
}

/** `s[start:end]` of a Go string. The bounds are within the text. */
export function byteSlice(text: string, start: number, end: number): string {
  if (isAscii(text)) return text.slice(start, end);
  return fromBytes(toBytes(text).subarray(start, end));
}

/** The text as it leaves: each byte that is not valid UTF-8 becomes U+FFFD. */
export function toWellFormedText(text: string): string {
  if (!escaped.test(text)) return text.isWellFormed() ? text : text.toWellFormed();
  return fromBytes(toBytes(text)).toWellFormed();
}

/** Orders as Go does: by bytes of UTF-8, which is by code point. */
export function compareBytes(left: string, right: string): number {
  const length = Math.min(left.length, right.length);
  for (let at = 0; at < length; at += 1) {
    const a = left.charCodeAt(at);
    const b = right.charCodeAt(at);
    if (a !== b) return rank(a) - rank(b);
  }
  return left.length - right.length;
}

/** UTF-16 units in code point order: surrogates stand above U+E000..U+FFFF. */
function rank(unit: number): number {
  if (unit < 0xd800) return unit;
  return unit < 0xe000 ? unit + 0x2000 : unit - 0x800;
}

/** What Go's `range` over a string sees: code points, U+FFFD for a bad byte. */
export function runes(text: string): string[] {
  return Array.from(text, (character) => {
    const unit = character.charCodeAt(0);
    return character.length === 1 && unit >= 0xd800 && unit <= 0xdfff ? "\ufffd" : character;
  });
}

/** The text's bytes, one character for each. */
export function byteText(text: string): string {
  if (isAscii(text)) return text;
  let binary = "";
  for (const byte of toBytes(text)) binary += String.fromCharCode(byte);
  return binary;
}
