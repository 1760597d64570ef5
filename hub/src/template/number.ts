import { type NumberLiteral, ParseError } from "./ast.ts";
import { unquoteRune } from "./quote.ts";

type Parts = Omit<NumberLiteral, "type" | "offset" | "text">;

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;
const uint64Max = 2n ** 64n - 1n;
const nothing: Parts = { int: undefined, uint: undefined, float: undefined, complex: undefined };

/** Reads a number or character literal: as everything it can be without loss. Throws ParseError. */
export function numberLiteral(text: string, kind: "number" | "rune" | "complex", offset: number): NumberLiteral {
  return { type: "number", offset, text, ...parts(text, kind, offset) };
}

function parts(text: string, kind: "number" | "rune" | "complex", offset: number): Parts {
  if (kind === "rune") {
    const code = unquoteRune(text);
    if (code === undefined) throw new ParseError(`malformed character constant: ${text}`, offset);
    return { ...nothing, int: BigInt(code), uint: BigInt(code), float: code };
  }
  if (kind === "complex") {
    const match = /^(.+?[^eEpP])([-+][^-+]*(?:[eEpP][-+]\w+)?)i$/.exec(text);
    const real = parseGoFloat(match?.[1] ?? "");
    const imaginary = parseGoFloat(match?.[2] ?? "");
    if (real === undefined || imaginary === undefined)
      throw new ParseError(`illegal number syntax: ${JSON.stringify(text)}`, offset);
    return simplified(real, imaginary);
  }
  if (text.endsWith("i")) {
    const imaginary = parseGoFloat(text.slice(0, -1));
    if (imaginary !== undefined) return simplified(0, imaginary);
  }
  return realParts(text, offset);
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

function realParts(text: string, offset: number): Parts {
  const whole = parseGoInt(text);
  const int = whole !== undefined && whole >= int64Min && whole <= int64Max ? whole : undefined;
  const unsigned = !/^[-+]/.test(text) || int === 0n;
  const uint = whole !== undefined && unsigned && whole >= 0n && whole <= uint64Max ? whole : undefined;
  if (int !== undefined) return { ...nothing, int, uint, float: Number(int) };
  if (uint !== undefined) return { ...nothing, uint, float: Number(uint) };
  const float = parseGoFloat(text);
  if (float === undefined) throw new ParseError(`illegal number syntax: ${JSON.stringify(text)}`, offset);
  if (!/[.eEpP]/.test(text)) throw new ParseError(`integer overflow: ${JSON.stringify(text)}`, offset);
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
