import { runes, toBytes } from "./bytes.ts";
import { formatFloat } from "./float.ts";
import { isPrint } from "./quote.ts";

/** Flags, width and precision of one verb of a format. */
export interface Spec {
  plus: boolean;
  minus: boolean;
  sharp: boolean;
  space: boolean;
  zero: boolean;
  /** `%+v` and `%#v`, where the flag belongs to the verb. */
  plusV: boolean;
  sharpV: boolean;
  width: number | undefined;
  precision: number | undefined;
}

/** A verb without anything. */
export function plainSpec(): Spec {
  return {
    plus: false,
    minus: false,
    sharp: false,
    space: false,
    zero: false,
    plusV: false,
    sharpV: false,
    width: undefined,
    precision: undefined,
  };
}

/** Pads to the width, which counts characters. */
export function pad(text: string, spec: Spec, zero = spec.zero): string {
  if (spec.width === undefined) return text;
  const missing = spec.width - runes(text).length;
  if (missing <= 0) return text;
  return spec.minus ? text + " ".repeat(missing) : (zero ? "0" : " ").repeat(missing) + text;
}

/** Cuts a text to the precision. */
export function truncate(text: string, spec: Spec): string {
  return spec.precision === undefined ? text : [...text].slice(0, spec.precision).join("");
}

/** An integer in a base, with sign, prefix and leading zeros. */
export function padInteger(value: bigint, base: 2 | 8 | 10 | 16, verb: string, spec: Spec): string {
  const negative = value < 0n;
  let digits = (negative ? -value : value).toString(base);
  if (verb === "X") digits = digits.toUpperCase();
  const sign = negative ? "-" : spec.plus ? "+" : spec.space ? " " : "";
  if (spec.precision !== undefined) {
    if (spec.precision === 0 && value === 0n) return " ".repeat(spec.width ?? 0);
    digits = digits.padStart(spec.precision, "0");
  } else if (spec.zero && !spec.minus && spec.width !== undefined) {
    digits = digits.padStart(spec.width - sign.length, "0");
  }
  if (spec.sharp) {
    if (base === 2) digits = `0b${digits}`;
    else if (base === 8 && !digits.startsWith("0")) digits = `0${digits}`;
    else if (base === 16) digits = `${verb === "X" ? "0X" : "0x"}${digits}`;
  }
  if (verb === "O") digits = `0o${digits}`;
  return pad(sign + digits, spec, false);
}

/** A float under one of the verbs e, f, g, b, x and their capitals. */
export function padFloat(
  value: number,
  verb: "e" | "E" | "f" | "g" | "G" | "b" | "x" | "X",
  defaultPrecision: number,
  spec: Spec,
): string {
  const precision = spec.precision ?? defaultPrecision;
  let text = formatFloat(value, verb, precision);
  if (!/^[-+]/.test(text)) text = `+${text}`;
  if (spec.space && text.startsWith("+") && !spec.plus) text = ` ${text.slice(1)}`;
  if (text[1] === "I" || text[1] === "N") {
    const shown =
      text[1] === "N" && !spec.space && !spec.plus
        ? text.slice(1)
        : text[1] === "I" && text.startsWith("+") && !spec.plus
          ? text
          : text;
    return pad(shown, spec, false);
  }
  if (spec.sharp && verb !== "b") text = withPoint(text, verb, precision);
  if (spec.plus || !text.startsWith("+")) {
    if (spec.zero && !spec.minus && spec.width !== undefined && spec.width > text.length) {
      return `${text[0]}${"0".repeat(spec.width - text.length)}${text.slice(1)}`;
    }
    return pad(text, spec);
  }
  return pad(text.slice(1), spec);
}

/** The sharp flag: a point always, and `%g` keeps its zeros. */
function withPoint(text: string, verb: string, precision: number): string {
  let digits = verb === "g" || verb === "G" || verb === "x" ? (precision === -1 ? 6 : precision) : 0;
  const cut = text.search(verb === "x" || verb === "X" ? /[pP]/ : /[eEpP]/);
  const tail = cut < 0 ? "" : text.slice(cut);
  let head = cut < 0 ? text : text.slice(0, cut);
  let seen = false;
  for (const character of head.slice(1)) {
    if (character === ".") continue;
    if (character !== "0") seen = true;
    if (seen) digits -= 1;
  }
  if (!head.includes(".")) {
    if (head.length === 2 && head[1] === "0") digits -= 1;
    head += ".";
  }
  return head + "0".repeat(Math.max(0, digits)) + tail;
}

/** A text's bytes in hexadecimal. */
export function padHex(text: string, upper: boolean, spec: Spec): string {
  const bytes = [...toBytes(text)].slice(0, spec.precision);
  if (bytes.length === 0) return pad("", spec);
  const prefix = spec.sharp ? (upper ? "0X" : "0x") : "";
  const pairs = bytes.map((byte) => byte.toString(16).padStart(2, "0"));
  const cased = upper ? pairs.map((pair) => pair.toUpperCase()) : pairs;
  return pad(spec.space ? cased.map((pair) => prefix + pair).join(" ") : prefix + cased.join(""), spec);
}

/** `U+0041`, with the character after it under the sharp flag. */
export function padUnicode(value: bigint, spec: Spec): string {
  const code = BigInt.asUintN(64, value);
  const digits = code
    .toString(16)
    .toUpperCase()
    .padStart(Math.max(4, spec.precision ?? 0), "0");
  const character = code <= 0x10ffffn ? String.fromCodePoint(Number(code)) : "";
  return pad(`U+${digits}${spec.sharp && isPrint(character) ? ` '${character}'` : ""}`, spec, false);
}
