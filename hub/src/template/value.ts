import type { Json } from "../yaml/json.ts";
import { compareBytes } from "./bytes.ts";

/**
 * A value as Go's text/template sees it. `undefined` is Go's invalid value ("<no value>"), `null` a nil interface, a
 * number a float64. Whole numbers of the language itself are GoInt.
 */
export type Value =
  | undefined
  | null
  | boolean
  | number
  | string
  | GoInt
  | GoComplex
  | GoList
  | GoMap
  | GoTime
  | GoObject;

export type IntType = "int" | "int8" | "int16" | "int32" | "int64" | "uint" | "uint8" | "uint16" | "uint32" | "uint64";

/** A Go integer of a fixed type. */
export class GoInt {
  readonly type: IntType;
  readonly value: bigint;
  constructor(type: IntType, value: bigint) {
    this.type = type;
    this.value = value;
  }
}

const smallInts = Array.from({ length: 256 }, (_, index) => new GoInt("int", BigInt(index)));

/** An `int`, wrapped to 64 bits. */
export function goInt(value: number | bigint): GoInt {
  if (typeof value === "number") {
    const small = smallInts[value];
    if (small !== undefined) return small;
  }
  return new GoInt("int", BigInt.asIntN(64, BigInt(value)));
}

/** An `int64`, wrapped to 64 bits. */
export function goInt64(value: number | bigint): GoInt {
  return new GoInt("int64", BigInt.asIntN(64, BigInt(value)));
}

/** A complex number, as Go prints one. */
export class GoComplex {
  readonly real: number;
  readonly imaginary: number;
  constructor(real: number, imaginary: number) {
    this.real = real;
    this.imaginary = imaginary;
  }
}

/** What a list or map holds, as Go's type says. */
export type ElementType = "any" | "string" | "int" | "list" | "map";

/** A slice. */
export class GoList {
  readonly element: ElementType;
  readonly items: readonly Value[];
  /** A nil slice prints as an empty one, and is `null` in JSON. */
  readonly isNil: boolean;
  /** How far a slice of it may reach; what lies beyond the items is nil. */
  readonly capacity: number;
  constructor(items: readonly Value[], element: ElementType = "any", isNil = false, capacity = items.length) {
    this.items = items;
    this.element = element;
    this.isNil = isNil;
    this.capacity = capacity;
  }
}

/** What Go's append leaves as capacity when it grows a list of interfaces one by one (up to 256 items). */
export function grownCapacity(length: number): number {
  return length === 0 ? 0 : length > 256 ? length : 2 ** Math.ceil(Math.log2(length));
}

/** A map with text keys; sprig's `set` changes it in place. */
export class GoMap {
  readonly element: "any" | "string";
  readonly entries: Map<string, Value>;
  readonly isNil: boolean;
  constructor(entries: Map<string, Value> = new Map(), element: "any" | "string" = "any", isNil = false) {
    this.entries = entries;
    this.element = element;
    this.isNil = isNil;
  }

  /** Keys in Go's printing order. */
  sortedKeys(): string[] {
    return [...this.entries.keys()].sort(compareBytes);
  }
}

/** A moment: nanoseconds since 1970 and the zone it is shown in. */
export class GoTime {
  readonly nanoseconds: bigint;
  readonly zone: string;
  constructor(nanoseconds: bigint, zone: string) {
    this.nanoseconds = nanoseconds;
    this.zone = zone;
  }
}

/** A value with methods and fields, such as what `semver` gives. */
export interface GoObject {
  readonly goType: string;
  readonly goKind: "ptr" | "struct";
  toText(): string;
  /** What the struct holds, as `%d` and its like walk it. */
  readonly parts: readonly (readonly [name: string, value: Value])[];
  /** A copy by reflection, which leaves private fields empty. */
  copied(): GoObject;
  /** Fields by name. */
  readonly fields: Readonly<Record<string, Value>>;
  /** Methods by name: parameter types and body. */
  readonly methods: Readonly<Record<string, GoFunction>>;
}

export type ParameterType =
  | "any"
  | "value"
  | "string"
  | "int"
  | "float64"
  | "bool"
  | "list"
  | "map"
  | "time"
  | "object"
  | "uint32";

/** A function of a template: fixed parameters, and the type of any number of further ones. */
export interface GoFunction {
  readonly parameters: readonly ParameterType[];
  readonly rest?: ParameterType;
  call(args: readonly Value[], context: CallContext): Value;
}

/** What functions may use of the outside. */
export interface CallContext {
  /** Counts work and output against the render's budget; throws when it is spent. */
  charge(steps: number): void;
  /** Milliseconds since 1970. Throws where the render may not ask for the time. */
  now(): number;
  /** Runs a compiled regular expression of the engine's cache. */
  readonly regexps: { compile(source: string): RegExpProgram };
  /** The fields and methods of a moment. */
  timeObject(time: GoTime): GoObject;
}

/** What the functions need of RE2. */
export interface RegExpProgram {
  /** Pairs of start and end, -1 where a group took no part, of each match from left to right, at most `limit` (-1: all). */
  matches(text: string, limit: number): readonly (readonly number[])[];
  readonly groupNames: readonly string[];
}

/** A fault inside a function; the evaluator adds where it was called. */
export class CallError extends Error {}

/** The kind that Go's reflection names. */
export function kindOf(value: Value): string {
  if (value === undefined || value === null) return "invalid";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return "float64";
    case "string":
      return "string";
    default:
      if (value instanceof GoInt) return value.type;
      if (value instanceof GoList) return "slice";
      if (value instanceof GoMap) return "map";
      if (value instanceof GoTime) return "struct";
      return value instanceof GoComplex ? "complex128" : value.goKind;
  }
}

const elementNames: Record<ElementType, string> = {
  any: "interface {}",
  string: "string",
  int: "int",
  list: "[]interface {}",
  map: "map[string]interface {}",
};

/** Go's name of the value's type, as `%T` prints it. */
export function typeOf(value: Value): string {
  if (value === undefined || value === null) return "<nil>";
  switch (typeof value) {
    case "boolean":
      return "bool";
    case "number":
      return "float64";
    case "string":
      return "string";
    default:
      if (value instanceof GoInt) return value.type;
      if (value instanceof GoList) return `[]${elementNames[value.element]}`;
      if (value instanceof GoMap) return `map[string]${elementNames[value.element]}`;
      if (value instanceof GoTime) return "time.Time";
      return value instanceof GoComplex ? "complex128" : value.goType;
  }
}

/** Whether `if` takes the value for true. */
export function isTrue(value: Value): boolean {
  return !isEmpty(value) || value instanceof GoTime;
}

/** Sprig's `empty`. */
export function isEmpty(value: Value): boolean {
  if (value === undefined || value === null || value === false || value === 0 || value === "") return true;
  if (typeof value !== "object") return false;
  if (value instanceof GoInt) return value.value === 0n;
  if (value instanceof GoList) return value.items.length === 0;
  if (value instanceof GoMap) return value.entries.size === 0;
  return value instanceof GoComplex && value.real === 0 && value.imaginary === 0;
}

/** Comparisons of one deepEqual: lists that hold others twice, and so on, would go on for ever. */
const maxCompared = 1_000_000;

/** Go's reflect.DeepEqual. Throws RangeError where there is too much to compare. */
export function deepEqual(left: Value, right: Value, spent = { count: 0 }): boolean {
  spent.count += 1;
  if (spent.count > maxCompared) throw new RangeError(`more than ${maxCompared} parts to compare`);
  if (left === right) return true;
  if (left === undefined || left === null) return right === undefined || right === null;
  if (left instanceof GoInt) return right instanceof GoInt && left.type === right.type && left.value === right.value;
  if (left instanceof GoList) return right instanceof GoList && equalLists(left, right, spent);
  if (left instanceof GoMap) return right instanceof GoMap && equalMaps(left, right, spent);
  if (left instanceof GoTime)
    return right instanceof GoTime && left.nanoseconds === right.nanoseconds && left.zone === right.zone;
  return false;
}

function equalLists(left: GoList, right: GoList, spent: { count: number }): boolean {
  if (left.element !== right.element || left.isNil !== right.isNil || left.items.length !== right.items.length)
    return false;
  return left.items.every((item, index) => deepEqual(item, right.items[index], spent));
}

function equalMaps(left: GoMap, right: GoMap, spent: { count: number }): boolean {
  if (left.element !== right.element || left.isNil !== right.isNil || left.entries.size !== right.entries.size)
    return false;
  for (const [key, value] of left.entries) {
    if (!right.entries.has(key) || !deepEqual(value, right.entries.get(key), spent)) return false;
  }
  return true;
}

/** JSON as Go decodes it into `interface{}`: all numbers are float64. */
export function fromJson(json: Json): Value {
  if (json === null || typeof json !== "object") return typeof json === "bigint" ? Number(json) : json;
  if (Array.isArray(json)) return new GoList(json.map(fromJson), "any", false, grownCapacity(json.length));
  return mapFromJson(json as { readonly [key: string]: Json });
}

/** A JSON object as a Go map. */
export function mapFromJson(json: { readonly [key: string]: Json }): GoMap {
  const entries = new Map<string, Value>();
  for (const key of Object.keys(json)) entries.set(key, fromJson(json[key] ?? null));
  return new GoMap(entries);
}

/** A `map[string]string`. */
export function stringMapOf(values: Readonly<Record<string, string>>): GoMap {
  return new GoMap(new Map(Object.entries(values)), "string");
}

/** A `[]string`. */
export function stringsOf(items: readonly string[]): GoList {
  return new GoList(items, "string");
}

/** The value as plain JSON, for people and for traces. Whole numbers stay exact. */
export function toPlain(value: Value): Json {
  if (value === undefined || value === null) return null;
  if (typeof value !== "object") return value;
  if (value instanceof GoInt) {
    const number = Number(value.value);
    return Number.isSafeInteger(number) ? number : value.value;
  }
  if (value instanceof GoList) return value.items.map(toPlain);
  if (value instanceof GoMap)
    return Object.fromEntries(value.sortedKeys().map((key) => [key, toPlain(value.entries.get(key))]));
  if (value instanceof GoTime) return String(value.nanoseconds);
  return value instanceof GoComplex ? `(${value.real}+${value.imaginary}i)` : value.toText();
}
