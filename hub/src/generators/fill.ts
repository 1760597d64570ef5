import { isEmptyValue, writtenForm } from "../documents/decode.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import type { Field, StructShape } from "../documents/shape.ts";

/**
 * Fills what a generator's own template leaves empty from the set's, as dario.cat/mergo fills structs: a pointer to false
 * counts as empty, maps gain missing keys, a list that holds something stays.
 */
export function fillStruct(shape: StructShape, into: JsonObject, from: JsonObject): JsonObject {
  const result: { [key: string]: Json } = {};
  for (const [name, field] of shape.fields) {
    const filled = fillField(field, into[name], from[name]);
    const written = writtenForm(field, filled);
    if (written !== undefined) result[name] = written;
  }
  return result;
}

function fillField(field: Field, into: Json | undefined, from: Json | undefined): Json | undefined {
  if (from === undefined) return into;
  if (into === undefined) return from;
  switch (field.shape.kind) {
    case "struct":
      return fillStruct(field.shape, into as JsonObject, from as JsonObject);
    case "map":
      return fillMap(into as JsonObject, from as JsonObject);
    case "json":
      return into;
    default:
      return isEmptyValue(into) && !isEmptyValue(from) ? from : into;
  }
}

function fillMap(into: JsonObject, from: JsonObject): JsonObject {
  const result: { [key: string]: Json } = { ...into };
  for (const [key, value] of Object.entries(from)) {
    if (isEmptyValue(result[key])) result[key] = value;
  }
  return result;
}
