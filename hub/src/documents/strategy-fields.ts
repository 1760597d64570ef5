import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "./model.ts";
import type { Amount } from "./strategy-model.ts";

/** A field of a document that cannot be so: what was expected, what was found, what to write instead. */
export function badField(field: string, message: string, next: string): Fault {
  return new Fault("bad-input", { message: `${field}: ${message}`, where: { field }, next });
}

/** The object at a field, or an empty one. */
export function objectAt(of: JsonObject, name: string): JsonObject | undefined {
  const value = of[name];
  const isMap = typeof value === "object" && value !== null && !Array.isArray(value);
  return isMap ? (value as JsonObject) : undefined;
}

/** The list of objects at a field. */
export function objectsAt(of: JsonObject, name: string): readonly JsonObject[] {
  const value = of[name];
  return Array.isArray(value) ? value.filter((one): one is JsonObject => typeof one === "object" && one !== null) : [];
}

/** The text at a field; empty where there is none. */
export function textAt(of: JsonObject, name: string): string {
  const value = of[name];
  return typeof value === "string" ? value : "";
}

/** The texts at a field. */
export function textsAt(of: JsonObject, name: string): readonly string[] {
  const value = of[name];
  return Array.isArray(value) ? value.filter((one): one is string => typeof one === "string") : [];
}

/** The whole number at a field; `fallback` where there is none. Throws `bad-input` below `least`. */
export function numberAt(of: JsonObject, name: string, at: { readonly field: string; readonly least: number }) {
  const value = of[name];
  if (value === undefined || value === null) return undefined;
  const number = Number(value);
  if (Number.isSafeInteger(number) && number >= at.least) return number;
  throw badField(`${at.field}.${name}`, `expected a whole number of at least ${at.least}, found ${shown(value)}.`, "");
}

/** One of some words; the first where there is none. */
export function wordAt<Word extends string>(
  of: JsonObject,
  name: string,
  at: { readonly field: string; readonly words: readonly [Word, ...Word[]] },
): Word {
  const value = of[name];
  if (value === undefined || value === null || value === "") return at.words[0];
  const found = at.words.find((word) => word === value);
  if (found !== undefined) return found;
  const words = at.words.join(", ");
  throw badField(`${at.field}.${name}`, `expected one of ${words}; found ${shown(value)}.`, "Write one of them.");
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A duration such as `90s` or `1h30m`, in milliseconds; undefined where there is none. */
export function durationAt(of: JsonObject, name: string, field: string): number | undefined {
  const value = of[name];
  if (value === undefined || value === null || value === "") return undefined;
  const text = typeof value === "string" ? value : "";
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(text)) {
    throw badField(
      `${field}.${name}`,
      `expected a duration such as 30s, 10m or 24h; found ${shown(value)}.`,
      "Write a number with its unit.",
    );
  }
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)) {
    total += Number(number) * (units[unit ?? ""] ?? 0);
  }
  return Math.round(total);
}

/** A number of clusters or a share (`25%`); undefined where there is none. Throws `bad-input` for anything else. */
export function amountAt(of: JsonObject, name: string, field: string): Amount | undefined {
  const value = of[name];
  if (value === undefined || value === null || value === "") return undefined;
  const amount = parseAmount(value);
  if (amount !== undefined && !("percent" in amount && amount.percent > 100)) return amount;
  throw badField(
    `${field}.${name}`,
    `expected a number of clusters or a share from 0% to 100%, found ${shown(value)}.`,
    'Write for example 3 or "25%".',
  );
}

/** A whole number, or a text like `25%` or `3`; undefined when it is neither. */
export function parseAmount(value: Json): Amount | undefined {
  if (typeof value === "bigint") return value >= 0n ? { count: Number(value) } : undefined;
  if (typeof value === "number") return Number.isInteger(value) && value >= 0 ? { count: value } : undefined;
  if (typeof value !== "string") return undefined;
  const found = /^(\d{1,9})(%?)$/.exec(value.trim());
  if (found === null) return undefined;
  const number = Number(found[1]);
  return found[2] === "%" ? { percent: number } : { count: number };
}

/** A value as it is shown in a message. */
export function shown(value: Json): string {
  return typeof value === "bigint" ? value.toString() : JSON.stringify(value);
}
