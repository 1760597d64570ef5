import { writtenForm } from "../documents/decode.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import type { Field, Shape, StructShape } from "../documents/shape.ts";

/** Renders one text. */
export type RenderText = (text: string) => string;
/** A value that was looked through once: only its texts are left to render. */
export type Compiled = (render: RenderText) => Json | undefined;

type MutableObject = { [key: string]: Json };

/** Fields that are rendered in a way of their own. */
export type FieldRules = (struct: StructShape, name: string, value: Json) => Compiled | undefined;

/**
 * Compiles a value in written form so that each text and each map key in it can be rendered many times, as Argo CD walks
 * its structs. The result is in written form again: what renders empty vanishes where it may.
 */
export function compileValue(shape: Shape, value: Json, rules?: FieldRules): Compiled {
  switch (shape.kind) {
    case "string":
    case "intOrString":
      return typeof value === "string" ? compileText(value) : () => value;
    case "bool":
    case "int":
      return () => value;
    case "json":
      return compileJson(value);
    case "list": {
      const items = (value as readonly Json[] | null)?.map((item) => compileValue(shape.of, item, rules)) ?? [];
      return (render) => items.map((item) => item(render) ?? null);
    }
    case "map":
      return compileMap(shape.of, value as JsonObject, rules);
    case "struct":
      return compileStruct(shape, value as JsonObject, rules);
  }
}

function compileText(text: string): Compiled {
  return text.includes("{{") ? (render) => render(text) : () => text;
}

function compileKey(key: string): (render: RenderText) => string {
  return key.includes("{{") ? (render) => render(key) : () => key;
}

function compileMap(of: Shape, value: JsonObject, rules?: FieldRules): Compiled {
  const entries = Object.entries(value).map(([key, item]) => ({
    key: compileKey(key),
    item: compileValue(of, item, rules),
  }));
  return (render) => {
    const result: MutableObject = {};
    for (const { key, item } of entries) {
      // The value first, then the key, as Argo CD does: it decides which fault is seen.
      const rendered = item(render);
      if (rendered !== undefined) setOwn(result, key(render), rendered);
    }
    return result;
  };
}

/** Free JSON: nulls in maps vanish, numbers become floats. */
function compileJson(value: Json): Compiled {
  if (typeof value === "string") return compileText(value);
  if (value === null || typeof value !== "object") {
    const kept = typeof value === "bigint" ? Number(value) : value;
    return () => kept;
  }
  if (Array.isArray(value)) {
    const items = value.map(compileJson);
    return (render) => items.map((item) => item(render) ?? null);
  }
  const entries = Object.entries(value)
    .filter(([, item]) => item !== null)
    .map(([key, item]) => ({ key: compileKey(key), item: compileJson(item) }));
  return (render) => {
    const result: MutableObject = {};
    for (const { key, item } of entries) {
      const rendered = item(render);
      setOwn(result, key(render), rendered ?? null);
    }
    return result;
  };
}

function compileStruct(shape: StructShape, value: JsonObject, rules?: FieldRules): Compiled {
  const fields: { readonly name: string; readonly field: Field; readonly item: Compiled }[] = [];
  for (const [name, field] of shape.fields) {
    const given = value[name];
    if (given === undefined) {
      if (field.presence === "zero") fields.push({ name, field, item: () => ({}) });
      continue;
    }
    fields.push({ name, field, item: rules?.(shape, name, given) ?? compileValue(field.shape, given, rules) });
  }
  return (render) => {
    const result: MutableObject = {};
    for (const { name, field, item } of fields) {
      const rendered = item(render);
      const written = field.presence === "zero" ? rendered : writtenForm(field, rendered);
      if (written !== undefined) result[name] = written;
    }
    return result;
  };
}

function setOwn(object: MutableObject, key: string, value: Json): void {
  if (key === "__proto__")
    Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
  else object[key] = value;
}
