import { fromBytes } from "./bytes.ts";

const simple: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
  "\\": "\\",
};

interface Piece {
  /** A character, or a byte. */
  readonly value: number;
  readonly isByte: boolean;
  readonly next: number;
}

/** The text of a quoted literal, quotes included, as Go's strconv.Unquote reads it; undefined: bad syntax. */
export function unquote(literal: string): string | undefined {
  const quote = literal[0];
  if (literal.length < 2 || literal.at(-1) !== quote) return undefined;
  if (quote === "`") return literal.slice(1, -1).replaceAll("\r", "");
  const body = literal.slice(1, -1);
  if (quote === '"' && !body.includes("\\") && !body.includes('"')) return body;
  const bytes: number[] = [];
  let text = "";
  const flush = () => {
    text += fromBytes(Uint8Array.from(bytes));
    bytes.length = 0;
  };
  for (let at = 0; at < body.length; ) {
    const piece = readPiece(body, at, '"');
    if (piece === undefined) return undefined;
    if (piece.isByte) {
      bytes.push(piece.value);
    } else {
      flush();
      text += String.fromCodePoint(piece.value);
    }
    at = piece.next;
  }
  flush();
  return text;
}

/** The code of a character literal, quotes included; undefined: bad syntax. */
export function unquoteRune(literal: string): number | undefined {
  const body = literal.slice(1, -1);
  const piece = readPiece(body, 0, "'");
  return piece !== undefined && piece.next === body.length && body !== "" ? piece.value : undefined;
}

function readPiece(body: string, at: number, quote: string): Piece | undefined {
  const code = body.codePointAt(at);
  if (code === undefined || body[at] === quote) return undefined;
  if (code !== 92) return { value: code, isByte: false, next: at + (code > 0xffff ? 2 : 1) };
  const escape = body[at + 1] ?? "";
  const known = simple[escape] ?? (escape === quote ? quote : undefined);
  if (known !== undefined) return { value: known.charCodeAt(0), isByte: false, next: at + 2 };
  const octal = /^[0-7]{3}/.exec(body.slice(at + 1, at + 4));
  if (octal !== null) {
    const value = Number.parseInt(octal[0], 8);
    return value > 255 ? undefined : { value, isByte: true, next: at + 4 };
  }
  const width = escape === "x" ? 2 : escape === "u" ? 4 : escape === "U" ? 8 : 0;
  const digits = body.slice(at + 2, at + 2 + width);
  if (width === 0 || digits.length < width || !/^[0-9a-fA-F]+$/.test(digits)) return undefined;
  const value = Number.parseInt(digits, 16);
  if (width > 2 && (value > 0x10ffff || (value >= 0xd800 && value < 0xe000))) return undefined;
  return { value, isByte: width === 2, next: at + 2 + width };
}

/** As Go's strconv.Quote (`%q`) writes a text. */
export function quoteGo(text: string, asciiOnly = false): string {
  let quoted = '"';
  for (const character of text) quoted += quoteCharacter(character, '"', asciiOnly);
  return `${quoted}"`;
}

/** As Go's strconv.QuoteRune writes a character. */
export function quoteRune(code: number, asciiOnly = false): string {
  const valid = code >= 0 && code <= 0x10ffff && !(code >= 0xd800 && code < 0xe000);
  return `'${quoteCharacter(String.fromCodePoint(valid ? code : 0xfffd), "'", asciiOnly)}'`;
}

const escapes = new Map(Object.entries(simple).map(([letter, character]) => [character, `\\${letter}`]));

function quoteCharacter(character: string, quote: string, asciiOnly: boolean): string {
  if (character === quote) return `\\${quote}`;
  const known = escapes.get(character);
  if (known !== undefined) return known;
  const code = character.codePointAt(0) ?? 0;
  if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
  if (code < 0x20 || code === 0x7f) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code < 0x7f) return character;
  if (!asciiOnly && isPrint(character)) return character;
  if (code > 0xffff) return `\\U${code.toString(16).padStart(8, "0")}`;
  return `\\u${code.toString(16).padStart(4, "0")}`;
}

/** Go's strconv.IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space. */
export function isPrint(character: string): boolean {
  return character === " " || /^[\p{L}\p{M}\p{N}\p{P}\p{S}]$/u.test(character);
}

/** As Go's `%#U` names a character: `U+00E9 'é'`; nothing, as at the end of a text, has the code -1. */
export function runeText(character: string): string {
  const code = character.codePointAt(0);
  if (code === undefined) return "U+FFFFFFFFFFFFFFFF";
  const digits = code.toString(16).toUpperCase().padStart(4, "0");
  return `U+${digits}${isPrint(character) ? ` '${character}'` : ""}`;
}

/** As Go's package time quotes a text, given as one character a byte. */
export function quoteBytes(bytes: string): string {
  const escaped = bytes.replace(/[^ -~\x7f]|["\\]/g, (character) =>
    character === '"' || character === "\\"
      ? `\\${character}`
      : `\\x${character.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
  return `"${escaped}"`;
}
