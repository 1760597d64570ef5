import { Fault } from "@capstan/proto";
import { readYaml } from "../yaml/read.ts";
import { resolvePlain } from "../yaml/scalar.ts";
import { toWellFormedText } from "./bytes.ts";
import { floatText } from "./float.ts";
import { encodeJson } from "./json.ts";
import { CallError, fromJson, GoInt, GoList, GoMap, type Value } from "./value.ts";

/** Reads YAML as sigs.k8s.io/yaml does; the first document counts. Throws CallError. */
export function fromSigsYaml(text: string): Value {
  try {
    const [document] = readYaml(text, { file: "yaml", keys: "argo" });
    return document === undefined ? null : fromJson(document.value);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    throw new CallError(`error converting YAML to JSON: yaml: line ${fault.where.line ?? 1}: ${fault.message}`);
  }
}

const notAllowed = /[\x7f\x80-\x84\x86-\x9f\ufffe\uffff]/;

/** Writes YAML as sigs.k8s.io/yaml does, with a newline at the end. Throws CallError for what JSON cannot say. */
export function toSigsYaml(value: Value): string {
  // It goes through JSON, which refuses what cannot be written.
  const json = encodeJson(value, { escapeHtml: false, indent: 0 });
  if (notAllowed.test(json)) throw new CallError("yaml: control characters are not allowed");
  const text = write(value, { indent: 0, column: 0 }, "top");
  return `${text}\n`;
}

type Place = "top" | "item" | "value";

/** Where a value is written: the indentation of what belongs to it, and the column that it begins at. */
interface Spot {
  readonly indent: number;
  readonly column: number;
}

function write(value: Value, spot: Spot, place: Place): string {
  if (value instanceof GoList && !value.isNil) return writeList(value, spot.indent, place);
  if (value instanceof GoMap && !value.isNil) return writeMap(value, spot.indent, place);
  return scalar(value, spot);
}

function writeList(list: GoList, indent: number, place: Place): string {
  if (list.items.length === 0) return "[]";
  const pad = " ".repeat(indent);
  const lines = list.items.map((item) => `- ${write(item, { indent: indent + 2, column: indent + 2 }, "item")}`);
  const text = lines.join(`\n${pad}`);
  return place === "value" ? `\n${pad}${text}` : text;
}

function writeMap(map: GoMap, indent: number, place: Place): string {
  if (map.entries.size === 0) return "{}";
  const pad = " ".repeat(indent);
  const lines = [...map.entries.keys()].sort(compareKeys).map((key) => {
    const value = map.entries.get(key);
    const isList = value instanceof GoList && !value.isNil;
    const name = plainOrQuoted(toWellFormedText(key));
    // A list stands at its key's own indentation.
    const text = write(value, { indent: isList ? indent : indent + 2, column: indent + [...name].length + 2 }, "value");
    return `${name}:${text.startsWith("\n") ? text : ` ${text}`}`;
  });
  const text = lines.join(`\n${pad}`);
  return place === "value" ? `\n${pad}${text}` : text;
}

function scalar(value: Value, spot: Spot): string {
  if (value === null || value === undefined || value instanceof GoList || value instanceof GoMap) return "null";
  if (typeof value === "boolean") return String(value);
  if (typeof value === "number") return number(value);
  if (value instanceof GoInt) return String(value.value);
  const text = typeof value === "string" ? value : JSON.parse(encodeJson(value, { escapeHtml: false, indent: 0 }));
  return writeText(toWellFormedText(String(text)), spot);
}

/** JSON numbers that are whole come back as integers. */
function number(value: number): string {
  const json = String(value);
  return /^-?\d+$/.test(json) ? json : floatText(value);
}

function writeText(text: string, spot: Spot): string {
  if (text.includes("\n") && allowsBlock(text)) return literal(text, spot.indent);
  return plainOrQuoted(text, spot);
}

/** A literal block keeps lines; it cannot hold special characters, nor a line that ends in spaces before a break. */
function allowsBlock(text: string): boolean {
  if (/ \n|[ ]$/.test(text)) return false;
  return [...text].every((character) => character === "\n" || isSafe(character));
}

function literal(text: string, indent: number): string {
  const pad = " ".repeat(Math.max(indent, 2));
  const hint = /^[ \n]/.test(text) ? "2" : "";
  const body = text.replace(/\n+$/, "");
  const trailing = text.length - body.length;
  if (body === "") return `|2+\n${"\n".repeat(trailing - 1)}`;
  const chomp = trailing === 0 ? "-" : trailing > 1 ? "+" : "";
  const lines = body.split("\n").map((line) => (line === "" ? "" : pad + line));
  return `|${hint}${chomp}\n${lines.join("\n")}${trailing > 1 ? "\n".repeat(trailing - 1) : ""}`;
}

/** Go's YAML writer shows the basic plane without its controls, marks of order and line separators. */
function isSafe(character: string): boolean {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x7f) return code >= 0x20;
  return code >= 0xa0 && code <= 0xfffd && code !== 0xfeff && code !== 0x2028 && code !== 0x2029;
}

/** Without a spot it is a key, which is never broken over lines. */
function plainOrQuoted(text: string, spot?: Spot): string {
  const mustQuote = !resolvesToText(text) || text.includes("\n") || [...text].some((character) => !isSafe(character));
  if (mustQuote) return `"${broken(text, { quote: '"', spot })}"`;
  return isPlain(text) ? broken(text, { quote: "", spot }) : `'${broken(text, { quote: "'", spot })}'`;
}

const width = 80;

/** A long text goes on in the next line at its first single space past the width. */
function broken(text: string, how: { readonly quote: string; readonly spot: Spot | undefined }): string {
  const characters = [...text];
  let column = (how.spot?.column ?? 0) + how.quote.length;
  let result = "";
  let afterSpace = false;
  for (const [index, character] of characters.entries()) {
    const isSpace = character === " ";
    const next = characters[index + 1];
    const mayBreak =
      how.spot !== undefined && isSpace && !afterSpace && column > width && index > 0 && index < characters.length - 1;
    if (mayBreak && (next !== " " || how.quote === '"')) {
      const indent = Math.max(how.spot?.indent ?? 0, 2);
      result += `\n${" ".repeat(indent)}${next === " " ? "\\" : ""}`;
      column = indent + (next === " " ? 1 : 0);
    } else {
      const written =
        how.quote === '"' ? escapeDouble(character) : how.quote === "'" && character === "'" ? "''" : character;
      result += written;
      column += [...written].length;
    }
    afterSpace = isSpace;
  }
  return result;
}

function resolvesToText(text: string): boolean {
  const resolved = resolvePlain(text);
  if (!("value" in resolved) || typeof resolved.value !== "string") return false;
  // Sixty-base numbers and dates are quoted for older readers.
  if (/^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/.test(text)) return false;
  return !/^\d{4}-\d{1,2}-\d{1,2}(?:$|[Tt \t])/.test(text) || !isTimestamp(text);
}

function isTimestamp(text: string): boolean {
  return /^\d{4}-\d{1,2}-\d{1,2}(?:(?:[Tt]| +)\d{1,2}:\d{1,2}:\d{1,2}(?:\.\d*)?(?: *(?:Z|[-+]\d{1,2}(?::\d{2})?))?)?$/.test(
    text,
  );
}

function isPlain(text: string): boolean {
  if (text === "" || /^[ \t]|[ \t]$/.test(text)) return false;
  if (/^(?:---|\.\.\.)/.test(text)) return false;
  if (/^[,[\]{}#&*!|>'"%@`]/.test(text) || /^[-?:](?:\s|$)/.test(text)) return false;
  if (/:(?:\s|$)/.test(text) || /\s#/.test(text)) return false;
  return !/[\t\n]/.test(text) || !text.includes("\n");
}

const escapes: Readonly<Record<string, string>> = {
  "\0": "\\0",
  "\x07": "\\a",
  "\b": "\\b",
  "\t": "\\t",
  "\n": "\\n",
  "\v": "\\v",
  "\f": "\\f",
  "\r": "\\r",
  "\x1b": "\\e",
  '"': '\\"',
  "\\": "\\\\",
  "\u0085": "\\N",
  "\u2028": "\\L",
  "\u2029": "\\P",
};

function escapeDouble(character: string): string {
  const known = escapes[character];
  if (known !== undefined) return known;
  if (isSafe(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  return code < 0x100 ? `\\x${hex(code, 2)}` : code < 0x10000 ? `\\u${hex(code, 4)}` : `\\U${hex(code, 8)}`;
}

function hex(code: number, width: number): string {
  return code.toString(16).toUpperCase().padStart(width, "0");
}

/** yaml.v2's order of keys: letters after other signs, runs of digits by their number. */
function compareKeys(left: string, right: string): number {
  const [a, b] = [[...left], [...right]];
  let digits = false;
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    const [x, y] = [a[at] ?? "", b[at] ?? ""];
    if (x === y) {
      digits = /\p{Nd}/u.test(x);
      continue;
    }
    const [xLetter, yLetter] = [/\p{L}/u.test(x), /\p{L}/u.test(y)];
    if (xLetter && yLetter) return codeOf(x) - codeOf(y);
    if (xLetter || yLetter) return digits ? (xLetter ? -1 : 1) : xLetter ? 1 : -1;
    return compareDigits({ a, b, at, digits });
  }
  return a.length - b.length;
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

function compareDigits(given: {
  readonly a: readonly string[];
  readonly b: readonly string[];
  readonly at: number;
  readonly digits: boolean;
}): number {
  const { a, b, at } = given;
  const isDigit = (character: string | undefined) => character !== undefined && /\p{Nd}/u.test(character);
  let [aNumber, bNumber] = [0n, 0n];
  if (a[at] === "0" || b[at] === "0") {
    for (let back = at - 1; back >= 0 && isDigit(a[back]); back -= 1) {
      if (a[back] !== "0") {
        [aNumber, bNumber] = [1n, 1n];
        break;
      }
    }
  }
  let [aEnd, bEnd] = [at, at];
  for (; isDigit(a[aEnd]); aEnd += 1) aNumber = aNumber * 10n + BigInt(codeOf(a[aEnd] ?? "0") - 48);
  for (; isDigit(b[bEnd]); bEnd += 1) bNumber = bNumber * 10n + BigInt(codeOf(b[bEnd] ?? "0") - 48);
  if (aNumber !== bNumber) return aNumber < bNumber ? -1 : 1;
  if (aEnd !== bEnd) return aEnd - bEnd;
  return codeOf(a[at] ?? "") - codeOf(b[at] ?? "");
}
