import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "./model.ts";
import type { Field, Shape, StructShape } from "./shape.ts";

/** Where in a document: keys and list positions. */
export type FieldPath = readonly (string | number)[];

/** What decoding reports besides its value. */
export interface DecodeReport {
  /** Fields that the shape does not know. */
  unknown?(path: FieldPath): void;
}

/** A value that does not fit its shape. */
export class ShapeError extends Fault {
  readonly path: FieldPath;
  constructor(path: FieldPath, expected: string, found: Json | undefined) {
    const field = pathText(path);
    super("bad-input", {
      message: `${field === "" ? "the document" : field} must be ${expected}; found ${describe(found)}.`,
      where: { field },
      next: "Mend the field.",
    });
    this.path = path;
  }
}

/**
 * Reads a value as Go's JSON decoder reads it into the struct, and gives what Go's encoder would write back: unknown
 * fields gone, empty fields gone where the struct says so, always-written fields present. Throws ShapeError.
 */
export function decode(shape: StructShape, value: Json, report: DecodeReport = {}): JsonObject {
  return (decodeValue(shape, value, [], report) ?? {}) as JsonObject;
}

/** `a.b[0].c`, as people write a path; keys with dots are quoted. */
export function pathText(path: FieldPath): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[\w-]+$/.test(part)) text += text === "" ? part : `.${part}`;
    else text += `[${JSON.stringify(part)}]`;
  }
  return text;
}

/** The value Go's zero value is written as, where a field is always written. */
function zeroOf(shape: Shape): Json {
  switch (shape.kind) {
    case "string":
      return "";
    case "bool":
      return false;
    case "int":
    case "intOrString":
      return 0;
    case "struct":
      return decodeStruct(shape, {}, [], {});
    default:
      return null;
  }
}

/** Whether Go would leave the value out of a field marked omitempty. */
export function isEmptyValue(value: Json | undefined): boolean {
  if (value === undefined || value === null || value === "" || value === false || value === 0 || value === 0n)
    return true;
  if (typeof value !== "object") return false;
  return Array.isArray(value) ? value.length === 0 : isEmptyObject(value);
}

function isEmptyObject(value: object): boolean {
  for (const _key in value) return false;
  return true;
}

function decodeValue(shape: Shape, value: Json, path: FieldPath, report: DecodeReport): Json | undefined {
  if (value === null) return undefined;
  switch (shape.kind) {
    case "json":
      return value;
    case "string":
      if (typeof value !== "string") throw new ShapeError(path, "text", value);
      return value;
    case "bool":
      if (typeof value !== "boolean") throw new ShapeError(path, "true or false", value);
      return value;
    case "int":
      if (!isInteger(value)) throw new ShapeError(path, "a whole number", value);
      return value;
    case "intOrString":
      if (typeof value !== "string" && !isInteger(value)) throw new ShapeError(path, "a whole number or text", value);
      return value;
    case "list":
      if (!Array.isArray(value)) throw new ShapeError(path, "a list", value);
      return value.map((item, index) => decodeValue(shape.of, item, [...path, index], report) ?? zeroOf(shape.of));
    case "map":
      return decodeMap(shape.of, mapOf(value, path), path, report);
    case "struct":
      return decodeStruct(shape, mapOf(value, path), path, report);
  }
}

function isInteger(value: Json): value is number | bigint {
  return typeof value === "bigint" || (typeof value === "number" && Number.isInteger(value));
}

function mapOf(value: Json, path: FieldPath): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new ShapeError(path, "a map", value);
  return value as JsonObject;
}

function decodeMap(of: Shape, value: JsonObject, path: FieldPath, report: DecodeReport): JsonObject {
  const entries = Object.entries(value).map(([key, item]): [string, Json] => [
    key,
    decodeValue(of, item, [...path, key], report) ?? zeroOf(of),
  ]);
  return Object.fromEntries(entries);
}

function decodeStruct(shape: StructShape, value: JsonObject, path: FieldPath, report: DecodeReport): JsonObject {
  const result: { [key: string]: Json } = {};
  for (const key of Object.keys(value)) if (!shape.fields.has(key)) report.unknown?.([...path, key]);
  for (const [name, field] of shape.fields) {
    const given = Object.hasOwn(value, name) ? value[name] : undefined;
    const decoded = given === undefined ? undefined : decodeValue(field.shape, given, [...path, name], report);
    const written = writtenForm(field, decoded);
    if (written !== undefined) result[name] = written;
  }
  return result;
}

/** What Go writes for a field's value; undefined: nothing. */
export function writtenForm(field: Field, value: Json | undefined): Json | undefined {
  if (field.presence === "keep") return value ?? zeroOf(field.shape);
  if (value === undefined) return undefined;
  if (field.presence === "pointer") return value;
  // A struct that is no pointer is written even when it is empty, save those marked so; none of ours is read back.
  return isEmptyValue(value) ? undefined : value;
}

function describe(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  if (typeof value === "string")
    return `the text ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  return String(value);
}
