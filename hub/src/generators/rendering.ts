import { Fault } from "@capstan/proto";
import { type FieldPath, pathText, writtenForm } from "../documents/decode.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import type { Field, Shape, StructShape } from "../documents/shape.ts";

/** Renders one text. */
export type RenderText = (text: string) => string;
/** A value that was looked through once: only its texts are left to render. */
export type Compiled = (render: RenderText) => Json | undefined;

type MutableObject = { [key: string]: Json };

/** Fields that are rendered in a way of their own. */
export type FieldRules = (struct: StructShape, name: string, value: Json) => Compiled | undefined;

/** Where a value stands, and which of its fields have rules of their own. */
interface At {
  readonly path: FieldPath;
  readonly rules?: FieldRules;
}

/**
 * Compiles a value in written form so that each text and each map key in it can be rendered many times, as Argo CD walks
 * its structs. The result is in written form again: what renders empty vanishes where it may. A text that fails is a
 * fault with its field, from `at.path` on.
 */
export function compileValue(shape: Shape, value: Json, at: At): Compiled {
  switch (shape.kind) {
    case "string":
    case "intOrString":
      return typeof value === "string" ? compileText(value, at) : () => value;
    case "bool":
    case "int":
      return () => value;
    case "json":
      return compileJson(value, at);
    case "list": {
      const items =
        (value as readonly Json[] | null)?.map((item, index) => compileValue(shape.of, item, below(at, index))) ?? [];
      return (render) => items.map((item) => item(render) ?? null);
    }
    case "map":
      return compileMap(shape.of, value as JsonObject, at);
    case "struct":
      return compileStruct(shape, value as JsonObject, at);
  }
}

function below(at: At, part: string | number): At {
  return { ...at, path: [...at.path, part] };
}

/** Renders a text; a fault is told its field. */
export function renderAt(render: RenderText, text: string, path: FieldPath): string {
  try {
    return render(text);
  } catch (thrown) {
    throw thrown instanceof Fault ? thrown.at({ field: pathText(path) }) : thrown;
  }
}

function compileText(text: string, { path }: At): (render: RenderText) => string {
  return text.includes("{{") ? (render) => renderAt(render, text, path) : () => text;
}

function compileMap(of: Shape, value: JsonObject, at: At): Compiled {
  const entries = Object.entries(value).map(([key, item]) => ({
    key: compileText(key, below(at, key)),
    item: compileValue(of, item, below(at, key)),
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
function compileJson(value: Json, at: At): Compiled {
  if (typeof value === "string") return compileText(value, at);
  if (value === null || typeof value !== "object") {
    const kept = typeof value === "bigint" ? Number(value) : value;
    return () => kept;
  }
  if (Array.isArray(value)) {
    const items = value.map((item, index) => compileJson(item, below(at, index)));
    return (render) => items.map((item) => item(render) ?? null);
  }
  const entries = Object.entries(value)
    .filter(([, item]) => item !== null)
    .map(([key, item]) => ({ key: compileText(key, below(at, key)), item: compileJson(item, below(at, key)) }));
  return (render) => {
    const result: MutableObject = {};
    for (const { key, item } of entries) {
      const rendered = item(render);
      setOwn(result, key(render), rendered ?? null);
    }
    return result;
  };
}

function compileStruct(shape: StructShape, value: JsonObject, at: At): Compiled {
  const fields: { readonly name: string; readonly field: Field; readonly item: Compiled }[] = [];
  for (const [name, field] of shape.fields) {
    const given = value[name];
    if (given === undefined) continue;
    const item = at.rules?.(shape, name, given) ?? compileValue(field.shape, given, below(at, name));
    fields.push({ name, field, item });
  }
  return (render) => {
    const result: MutableObject = {};
    for (const { name, field, item } of fields) {
      const written = writtenForm(field, item(render));
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
