import type { NumberLiteral } from "./ast.ts";
import { quoteGo, unquoteRune } from "./quote.ts";

type Parts = Omit<NumberLiteral, "type" | "offset" | "text">;

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;
const nothing: Parts = { int: undefined, uint: undefined, float: undefined, complex: undefined };

/** Reads a number or character literal: as everything it can be without loss. A text: what is wrong with it. */
export function numberLiteral(
  text: string,
  kind: "number" | "rune" | "complex",
): Omit<NumberLiteral, "offset"> | string {
  const read = kind === "rune" ? runeParts(text) : kind === "complex" ? complexParts(text) : numberParts(text);
  return typeof read === "string" ? read : { type: "number", text, ...read };
}

function runeParts(text: string): Parts | string {
  const code = unquoteRune(text);
  if (code === undefined) return text.length <= 2 ? "invalid syntax" : runeTrouble(text);
  return { ...nothing, int: BigInt(code), uint: BigInt(code), float: code };
}

/** What stands after a whole first character is one too many. */
function runeTrouble(text: string): string {
  return unquoteRune(`'${[...text.slice(1)][0] ?? ""}'`) === undefined
    ? "invalid syntax"
    : `malformed character constant: ${text}`;
}

function complexParts(text: string): Parts | string {
  const match = /^(.*[^eEpP])([-+].*)i$/.exec(text);
  const real = parseGoFloat(match?.[1] ?? "");
  const imaginary = parseGoFloat(match?.[2] ?? "");
  if (real === undefined || imaginary === undefined) return complexTrouble(text);
  return simplified(real, imaginary);
}

function complexTrouble(text: string): string {
  return `strconv.ParseComplex: parsing ${quoteGo(text)}: invalid syntax`;
}

function numberParts(text: string): Parts | string {
  if (text.endsWith("i")) {
    const imaginary = parseGoFloat(text.slice(0, -1));
    if (imaginary !== undefined) return simplified(0, imaginary);
  }
  return realParts(text);
}

/** A complex number without imaginary part is a float, and an integer where it has no fraction. */
function simplified(real: number, imaginary: number): Parts {
  const complex = { real, imaginary };
  if (imaginary !== 0) return { ...nothing, complex };
  return { ...ofFloat(real), complex };
}

function ofFloat(float: number): Parts {
  const whole = Number.isInteger(float) ? BigInt(float) : undefined;
  return {
    ...nothing,
    float,
    int: whole !== undefined && whole >= int64Min && whole <= int64Max ? whole : undefined,
    uint: whole !== undefined && whole >= 0n && whole <= uint64Max ? whole : undefined,
  };
}

function realParts(text: string): Parts | string {
  const whole = parseGoInt(text);
  const int = whole !== undefined && whole >= int64Min && whole <= int64Max ? whole : undefined;
  const unsigned = !/^[-+]/.test(text) || int === 0n;
  const uint = whole !== undefined && unsigned && whole >= 0n && whole <= uint64Max ? whole : undefined;
  if (int !== undefined) return { ...nothing, int, uint, float: Number(int) };
  if (uint !== undefined) return { ...nothing, uint, float: Number(uint) };
  const float = parseGoFloat(text);
  if (float === undefined) return `illegal number syntax: ${quoteGo(text)}`;
  if (!/[.eEpP]/.test(text)) return `integer overflow: ${quoteGo(text)}`;
  return ofFloat(float);
}

/** Underscores stand only between digits, or between a base's prefix and its digits. */
function withoutUnderscores(text: string): string | undefined {
  if (!text.includes("_")) return text;
  const digits = text.replace(/^[-+]?0[xXbBoO]_/, (prefix) => prefix.slice(0, -1));
  if (/^_|_$|__/.test(digits) || /[^0-9a-fA-F]_|_[^0-9a-fA-F]/.test(digits)) return undefined;
  return digits.replaceAll("_", "");
}

/** Go's strconv.ParseInt with base 0, without a bound. */
export function parseGoInt(text: string): bigint | undefined {
  const plain = withoutUnderscores(text);
  const match = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))$/.exec(
    plain ?? "",
  );
  if (match === null) return undefined;
  const [, sign, hex, binary, octal, bareOctal, decimal] = match;
  const digits =
    hex !== undefined
      ? `0x${hex}`
      : binary !== undefined
        ? `0b${binary}`
        : (octal ?? bareOctal) !== undefined
          ? `0o${octal ?? bareOctal}`
          : (decimal ?? "0");
  const value = BigInt(digits);
  return sign === "-" ? -value : value;
}

/** Go's strconv.ParseFloat; infinities and NaN by name, hexadecimal with a binary exponent. Out of range: undefined. */
export function parseGoFloat(text: string): number | undefined {
  const special = /^([-+]?)(?:(inf|infinity)|(nan))$/i.exec(text);
  if (special !== null) return special[3] !== undefined ? Number.NaN : special[1] === "-" ? -Infinity : Infinity;
  const plain = withoutUnderscores(text);
  if (plain === undefined) return undefined;
  if (/^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(plain)) {
    const value = Number(plain);
    return Number.isFinite(value) ? value : undefined;
  }
  const hex = /^([-+]?)0[xX]([0-9a-fA-F]*)\.?([0-9a-fA-F]*)[pP]([-+]?[0-9]+)$/.exec(plain);
  if (hex === null || (hex[2] === "" && hex[3] === "")) return undefined;
  const mantissa = Number(BigInt(`0x${hex[2]}${hex[3]}`));
  const value = mantissa * 2 ** (Number(hex[4]) - 4 * (hex[3]?.length ?? 0));
  return hex[1] === "-" ? -value : value;
}
