import type { Json } from "../yaml/json.ts";
import { compareBytes, fromBytes, isAscii, toBytes } from "./bytes.ts";
import { timeJson } from "./time.ts";
import { CallError, fromJson, GoComplex, GoInt, GoList, GoMap, GoTime, type Value } from "./value.ts";

/** How a value is written as JSON. */
export interface JsonStyle {
  /** `<`, `>` and `&` as `\u003c`…, as Go does unless told otherwise. */
  readonly escapeHtml: boolean;
  /** Spaces a level; 0 is all on one line. */
  readonly indent: number;
}

/** As Go's encoding/json writes a value: keys sorted by bytes. Throws CallError for what JSON cannot say. */
export function encodeJson(value: Value, style: JsonStyle): string {
  return new JsonWriter(style).value(value, 0);
}

const maxParts = 1_000_000;

class JsonWriter {
  readonly #style: JsonStyle;
  /** A list that holds another twice, and so on, has few parts and no end of text. */
  #parts = 0;
  constructor(style: JsonStyle) {
    this.#style = style;
  }

  value(value: Value, depth: number): string {
    this.#parts += 1;
    if (this.#parts > maxParts) throw new RangeError(`more than ${maxParts} parts to write`);
    if (value === null || value === undefined) return "null";
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "boolean":
        return String(value);
      case "number":
        return number(value);
      default:
        if (value instanceof GoInt) return String(value.value);
        if (value instanceof GoList) return this.#list(value, depth);
        if (value instanceof GoMap) return this.#map(value, depth);
        if (value instanceof GoTime) return this.#text(timeJson(value));
        if (value instanceof GoComplex) throw new CallError("json: unsupported type: complex128");
        return this.#text(value.toText());
    }
  }

  /** A byte that is not valid UTF-8 becomes the escape \\ufffd, as Go writes it. */
  #text(text: string): string {
    const parts = isAscii(text) ? [text] : fromBytes(toBytes(text)).split(/[\udc80-\udcff](?<![\ud800-\udbff].)/);
    const json = parts.map((part) => JSON.stringify(part).slice(1, -1)).join("\\ufffd");
    const safe = json.replace(/[\u2028\u2029]/g, (character) => `\\u${character.charCodeAt(0).toString(16)}`);
    if (!this.#style.escapeHtml) return `"${safe}"`;
    return `"${safe.replace(/[<>&]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)}"`;
  }

  #join(parts: readonly string[], ends: string, depth: number): string {
    if (this.#style.indent === 0) return `${ends[0]}${parts.join(",")}${ends[1]}`;
    const outer = `\n${" ".repeat(this.#style.indent * depth)}`;
    const inner = outer + " ".repeat(this.#style.indent);
    return `${ends[0]}${inner}${parts.join(`,${inner}`)}${outer}${ends[1]}`;
  }

  #list(list: GoList, depth: number): string {
    if (list.isNil) return "null";
    if (list.items.length === 0) return "[]";
    return this.#join(
      list.items.map((item) => this.value(item, depth + 1)),
      "[]",
      depth,
    );
  }

  #map(map: GoMap, depth: number): string {
    if (map.isNil) return "null";
    if (map.entries.size === 0) return "{}";
    const colon = this.#style.indent === 0 ? ":" : ": ";
    const parts = map
      .sortedKeys()
      .map((key) => `${this.#text(key)}${colon}${this.value(map.entries.get(key), depth + 1)}`);
    return this.#join(parts, "{}", depth);
  }
}

function number(value: number): string {
  if (!Number.isFinite(value)) throw new CallError(`json: unsupported value: ${value}`);
  return Object.is(value, -0) ? "-0" : String(value);
}

/** As Go's encoding/json reads a text into `interface{}`. Throws CallError. */
export function decodeJson(text: string): Value {
  let json: Json;
  try {
    json = JSON.parse(text);
  } catch {
    throw new CallError("the text is no JSON");
  }
  return fromJson(wellFormed(json, text));
}

/** The first number that is too large for a float64. */
function hugeNumber(text: string): string {
  const outside = text.replace(/"(?:[^"\\]|\\.)*"/g, '""');
  return (outside.match(/-?\d[\d.eE+-]*/g) ?? []).find((number) => !Number.isFinite(Number(number))) ?? "";
}

function wellFormed(json: Json, text: string): Json {
  if (typeof json === "string") return json.toWellFormed();
  if (typeof json === "number" && !Number.isFinite(json))
    throw new CallError(`json: cannot unmarshal number ${hugeNumber(text)} into Go value of type float64`);
  if (json === null || typeof json !== "object") return json;
  if (Array.isArray(json)) return json.map((item) => wellFormed(item, text));
  const entries = Object.entries(json).map(([key, value]): [string, Json] => [
    key.toWellFormed(),
    wellFormed(value, text),
  ]);
  return Object.fromEntries(entries.sort(([left], [right]) => compareBytes(left, right)));
}
