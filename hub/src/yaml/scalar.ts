import type { Json } from "./json.ts";

/** What a plain (unquoted) scalar means to Kubernetes' YAML reader, which keeps YAML 1.1's words and numbers. */
export type Plain = { readonly value: Json } | { readonly problem: string };

const words = new Map<string, null | boolean>();
for (const word of ["", "~", "null", "Null", "NULL"]) words.set(word, null);
for (const word of ["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"]) words.set(word, true);
for (const word of ["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"]) words.set(word, false);

const special = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;
const float = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const integer = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]([0-7]+)|0([0-7]+)|(0|[1-9][0-9]*))$/;
const radixOfGroup = [0, 0, 16, 2, 8, 8, 10];
const int64Min = -(2n ** 63n);
const uint64Max = 2n ** 64n - 1n;

/** Resolves a plain scalar; anything that is no word and no number stays text, dates and times too. */
export function resolvePlain(source: string): Plain {
  if (source.length <= 5) {
    const word = words.get(source);
    if (word !== undefined) return { value: word };
  }
  const first = source.charCodeAt(0);
  // Digits, plus, minus and dot begin every number.
  if (!((first >= 48 && first <= 57) || first === 43 || first === 45 || first === 46)) return { value: source };
  if (special.test(source)) return { problem: `${source} cannot be written as JSON, which has no infinity and no NaN` };
  return { value: resolveNumber(first === 46 ? source : source.replaceAll("_", "")) ?? source };
}

function resolveNumber(text: string): number | bigint | undefined {
  const match = integer.exec(text);
  if (match !== null) {
    const value = integerOf(match);
    if (value !== undefined) return value;
  }
  if (!float.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

function integerOf(match: RegExpExecArray): number | bigint | undefined {
  const group = match.findIndex((part, index) => index > 1 && part !== undefined);
  const digits = match[group] ?? "";
  const radix = radixOfGroup[group] ?? 10;
  const sign = match[1] === "-" ? -1 : 1;
  const value = sign * Number.parseInt(digits, radix);
  if (Number.isSafeInteger(value)) return value === 0 ? 0 : value;
  const prefix = radix === 16 ? "0x" : radix === 8 ? "0o" : radix === 2 ? "0b" : "";
  if (digits.length > 64) return undefined;
  const exact = BigInt(sign) * BigInt(prefix + digits);
  return exact >= int64Min && exact <= uint64Max ? exact : undefined;
}

/** The text of a `!!binary` scalar: base64 of UTF-8. Throws on bad base64. */
export function decodeBinary(source: string): string {
  const bytes = Uint8Array.from(atob(source.replaceAll(/\s+/g, "")), (character) => character.charCodeAt(0));
  return new TextDecoder().decode(bytes);
}
