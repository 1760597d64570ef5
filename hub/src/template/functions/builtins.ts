import { byteLength, compareBytes, toBytes } from "../bytes.ts";
import { queryEscape } from "../escape.ts";
import { sprint, sprintf, sprintln, valueText } from "../format.ts";
import { isPrint } from "../quote.ts";
import { GoComplex, GoInt, GoList, GoMap, goInt, isTrue, kindOf, typeOf, type Value } from "../value.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

/** The functions that text/template has of its own. `and` and `or` are the evaluator's, as they stop early. */
export const builtins: FunctionTable = {
  and: define("value ...value", () => fail("unreachable")),
  or: define("value ...value", () => fail("unreachable")),
  // The evaluator tells what it found: no value is a function.
  call: define("value ...value", () => fail("unreachable")),
  not: define("value", ([value]) => !isTrue(value)),
  html: define("...any", (args) => escapeHtml(printed(args))),
  js: define("...any", (args) => escapeJs(printed(args))),
  urlquery: define("...any", (args) => queryEscape(printed(args))),
  print: define("...any", (args, context) => charged(sprint(args), context)),
  println: define("...any", (args, context) => charged(sprintln(args), context)),
  printf: define("string ...any", ([format, ...args], context) => charged(sprintf(text(format), args), context)),
  len: define("value", ([value]) => length(value)),
  index: define("value ...value", ([value, ...indexes]) => indexes.reduce(index, required(value, "index"))),
  eq: define("value ...value", ([first, ...others]) => equalAny(first, others)),
  ne: define("value value", ([left, right]) => !equalAny(left, [right])),
  lt: define("value value", ([left, right]) => less(left, right)),
  le: define("value value", ([left, right]) => less(left, right) || equalAny(left, [right])),
  gt: define("value value", ([left, right]) => !(less(left, right) || equalAny(left, [right]))),
  ge: define("value value", ([left, right]) => !less(left, right)),
};

function charged(result: string, context: { charge(steps: number): void }): string {
  context.charge(result.length >> 4);
  return result;
}

/** Operands as the output shows them: what is nothing prints as nothing does. */
function printed(args: readonly Value[]): string {
  return args.length === 1 && typeof args[0] === "string"
    ? args[0]
    : sprint(args.map((value) => (value === null || value === undefined ? "<no value>" : value)));
}

function required(value: Value, verb: string): Value {
  if (value === undefined || value === null) fail(`${verb} of untyped nil`);
  return value;
}

function length(value: Value): Value {
  if (typeof value === "string") return goInt(byteLength(value));
  if (value instanceof GoList) return goInt(value.items.length);
  if (value instanceof GoMap) return goInt(value.entries.size);
  if (value === undefined) fail("reflect: call of reflect.Value.Type on zero Value");
  return fail(value === null ? "len of nil pointer" : `len of type ${typeOf(value)}`);
}

function position(key: Value, limit: number): number {
  if (!(key instanceof GoInt))
    fail(`cannot index slice/array with ${key === undefined || key === null ? "nil" : `type ${typeOf(key)}`}`);
  const at = Number((key as GoInt).value);
  if (at < 0 || at >= limit) fail(`index out of range: ${at}`);
  return at;
}

function index(value: Value, key: Value): Value {
  if (value === undefined || value === null) return fail("index of nil pointer");
  if (typeof value === "string")
    return new GoInt("uint8", BigInt(toBytes(value)[position(key, byteLength(value))] ?? 0));
  if (value instanceof GoList) return value.items[position(key, value.items.length)];
  if (!(value instanceof GoMap)) return fail(`can't index item of type ${typeOf(value)}`);
  if (typeof key !== "string")
    return fail(
      key === undefined || key === null
        ? "value is nil; should be of type string"
        : `value has type ${typeOf(key)}; should be string`,
    );
  if (value.entries.has(key)) return value.entries.get(key);
  return value.element === "string" ? "" : null;
}

type Kind = "bool" | "int" | "uint" | "float" | "complex" | "string" | "none";

function basicKind(value: Value): Kind {
  if (typeof value === "boolean") return "bool";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "string";
  if (value instanceof GoInt) return value.type.startsWith("u") ? "uint" : "int";
  return value instanceof GoComplex ? "complex" : "none";
}

function bothWhole(left: Kind, right: Kind): boolean {
  return (left === "int" && right === "uint") || (left === "uint" && right === "int");
}

function equalAny(first: Value, others: readonly Value[]): boolean {
  if (others.length === 0) fail("missing argument for comparison");
  return others.some((other) => equal(first, other));
}

function isNil(value: Value): boolean {
  return value === undefined || value === null || ((value instanceof GoList || value instanceof GoMap) && value.isNil);
}

function equal(left: Value, right: Value): boolean {
  const kind = basicKind(left);
  const other = basicKind(right);
  if (kind !== other) {
    if (bothWhole(kind, other)) return (left as GoInt).value === (right as GoInt).value;
    if (left !== undefined && left !== null && right !== undefined && right !== null) {
      fail(`incompatible types for comparison: ${typeOf(left)} and ${typeOf(right)}`);
    }
    return false;
  }
  if (left instanceof GoInt && right instanceof GoInt) return left.value === right.value;
  if (left instanceof GoComplex && right instanceof GoComplex)
    return left.real === right.real && left.imaginary === right.imaginary;
  if (kind !== "none") return left === right;
  const oneIsNothing = left === undefined || left === null || right === undefined || right === null;
  if (!oneIsNothing && kindOf(left) !== kindOf(right))
    fail(`non-comparable types ${sprintf("%s", [left])}: ${typeOf(left)}, ${typeOf(right)}: ${valueText(right)}`);
  if (isNil(left) || isNil(right)) return isNil(left) === isNil(right);
  if (right instanceof GoList || right instanceof GoMap)
    fail(`non-comparable type ${sprintf("%s", [right])}: ${typeOf(right)}`);
  return left === right;
}

function less(left: Value, right: Value): boolean {
  const kind = basicKind(left);
  const other = basicKind(right);
  if (kind === "none" || other === "none") fail("invalid type for comparison");
  if (kind !== other && !bothWhole(kind, other)) {
    fail(`incompatible types for comparison: ${typeOf(left)} and ${typeOf(right)}`);
  }
  if (left instanceof GoInt && right instanceof GoInt) return left.value < right.value;
  if (typeof left === "number" && typeof right === "number") return left < right;
  if (typeof left === "string" && typeof right === "string") return compareBytes(left, right) < 0;
  return fail("invalid type for comparison");
}

const htmlEscapes: Readonly<Record<string, string>> = {
  "\0": "\ufffd",
  '"': "&#34;",
  "'": "&#39;",
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
};

function escapeHtml(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: NUL is one of those
  return value.replace(/[\0"'&<>]/g, (character) => htmlEscapes[character] ?? character);
}

const jsEscapes: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "'": "\\'",
  '"': '\\"',
  "<": "\\u003C",
  ">": "\\u003E",
  "&": "\\u0026",
  "=": "\\u003D",
};

function escapeJs(value: string): string {
  let escaped = "";
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    const known = jsEscapes[character];
    if (known !== undefined) escaped += known;
    else if (code >= 0x20 && (code < 0x80 || isPrint(character))) escaped += character;
    else if (code >= 0xdc80 && code <= 0xdcff) escaped += isPrint("\ufffd") ? character : "\\uFFFD";
    else escaped += `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  }
  return escaped;
}
