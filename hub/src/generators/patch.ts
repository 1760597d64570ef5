import { Fault } from "@capstan/proto";
import { applicationShape } from "../documents/application-shape.ts";
import { decode } from "../documents/decode.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import type { Shape } from "../documents/shape.ts";
import { decodeJson } from "../template/json.ts";
import { CallError, toPlain } from "../template/value.ts";
import { readYamlParts } from "../yaml/read.ts";

type MutableObject = { [key: string]: Json };

const next = "Mend templatePatch.";

/**
 * Applies a rendered templatePatch as a strategic merge patch over an Application: maps merge, null removes, lists are
 * replaced, finalizers are joined, `$patch` is obeyed; `spec.project` stays. Throws `bad-input`.
 */
export function applyPatch(application: JsonObject, text: string): JsonObject {
  const patch = parsePatch(text);
  if (patch === null) return decode(applicationShape, application);
  decode(applicationShape, patch);
  const merged = mergeObjects(application, patch, applicationShape);
  const result = decode(applicationShape, merged);
  const project = (application["spec"] as JsonObject)["project"] ?? "";
  return { ...result, spec: { ...(result["spec"] as JsonObject), project } };
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A text that begins with a brace is JSON; all else is YAML. */
function parsePatch(text: string): JsonObject | null {
  const value = text.trim().startsWith("{") ? parseJson(text) : parseYaml(text);
  if (value === null || isObject(value)) return value;
  throw new Fault("bad-input", {
    message: "templatePatch is a map; something else was found.",
    where: { field: "spec.templatePatch" },
    next,
  });
}

function parseJson(text: string): Json {
  try {
    return toPlain(decodeJson(text));
  } catch (thrown) {
    const message = thrown instanceof CallError ? thrown.message : String(thrown);
    throw new Fault("bad-input", {
      message: `templatePatch: ${message}.`,
      where: { field: "spec.templatePatch" },
      next,
      cause: thrown,
    });
  }
}

function parseYaml(text: string): Json {
  const [first] = readYamlParts(text, { file: "templatePatch", keys: "argo" });
  if (first instanceof Fault) throw first;
  return first?.value ?? null;
}

/** Lists that a patch adds to instead of replacing them. */
const joinedLists: ReadonlySet<string> = new Set(["finalizers"]);

function mergeObjects(into: JsonObject, patch: JsonObject, shape: Shape): JsonObject {
  const directive = patch["$patch"];
  if (directive === "replace") return withoutDirectives(patch);
  if (directive === "delete") return {};
  if (directive !== undefined) {
    throw new Fault("bad-input", {
      message: `templatePatch: $patch is replace or delete here; found ${JSON.stringify(directive)}.`,
      next,
    });
  }
  const result: MutableObject = { ...into };
  for (const [key, value] of Object.entries(patch)) {
    if (key.startsWith("$")) applyListDirective(result, key, value);
    else mergeKey(result, { key, value, shape });
  }
  return retain(result, patch);
}

/** `$retainKeys` names all that may stay. */
function retain(result: JsonObject, patch: JsonObject): JsonObject {
  const kept = patch["$retainKeys"];
  if (!Array.isArray(kept)) return result;
  return Object.fromEntries(Object.entries(result).filter(([key]) => kept.includes(key)));
}

function applyListDirective(result: MutableObject, key: string, value: Json): void {
  const name = /^\$deleteFromPrimitiveList\/(.+)$/.exec(key)?.[1];
  const list = name === undefined ? undefined : result[name];
  if (name !== undefined && Array.isArray(list) && Array.isArray(value)) {
    result[name] = list.filter((item: Json) => !value.includes(item));
  }
}

function mergeKey(
  result: MutableObject,
  given: { readonly key: string; readonly value: Json; readonly shape: Shape },
): void {
  const { key, value, shape } = given;
  const known = result[key];
  if (value === null) {
    delete result[key];
    return;
  }
  if (known === undefined) {
    setFresh(result, key, value);
    return;
  }
  if (isObject(known) && isObject(value)) {
    if (value["$patch"] === "replace") result[key] = withoutDirectives(value);
    else result[key] = mergeObjects(known, value, childShape(shape, key));
  } else if (Array.isArray(known) && Array.isArray(value)) {
    childShape(shape, key);
    result[key] = joinedLists.has(key) ? join(known, value) : value;
  } else {
    setFresh(result, key, value);
  }
}

/** What has nothing to merge with is taken as it is; a map with a `$patch` speaks of what is not there, and vanishes. */
function setFresh(result: MutableObject, key: string, value: Json): void {
  const fresh = freshValue(value);
  if (fresh === undefined) delete result[key];
  else result[key] = fresh;
}

function freshValue(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.map((item: Json) => freshValue(item)).filter((item) => item !== undefined);
  if (!isObject(value)) return value;
  if (value["$patch"] !== undefined) return undefined;
  const entries: [string, Json][] = [];
  for (const [key, item] of Object.entries(value)) {
    const fresh = item === null || directives.test(key) ? undefined : freshValue(item);
    if (fresh !== undefined) entries.push([key, fresh]);
  }
  return Object.fromEntries(entries);
}

/** Free JSON has no fields of its own: there Argo CD cannot merge a map or list into another. */
function childShape(shape: Shape, key: string): Shape {
  if (shape.kind === "map") return shape.of;
  const field = shape.kind === "struct" ? shape.fields.get(key) : undefined;
  if (field === undefined) {
    throw new Fault("bad-input", {
      message: `templatePatch cannot merge ${JSON.stringify(key)}, a map or list in free JSON, into what is there already.`,
      next: "Add $patch: replace to the map, or leave it out of the template.",
    });
  }
  return field.shape;
}

const directives = /^\$(?:patch|retainKeys|setElementOrder\/|deleteFromPrimitiveList\/)/;

function withoutDirectives(value: JsonObject): JsonObject {
  const entries = Object.entries(value).filter(([key]) => !directives.test(key));
  return Object.fromEntries(
    entries.map(([key, item]): [string, Json] => [key, isObject(item) ? withoutDirectives(item) : item]),
  );
}

/** What is new goes first; what was there keeps its order, also against those of the patch that were there. */
function join(known: readonly Json[], patch: readonly Json[]): readonly Json[] {
  const added = [...new Set(patch)];
  const rest = known.filter((item) => !added.includes(item));
  const joined: Json[] = [];
  while (rest.length > 0 && added.length > 0) {
    const [left = null, right = null] = [rest[0], added[0]];
    const isEarlier = known.includes(right) && known.indexOf(left) < known.indexOf(right);
    joined.push(isEarlier ? left : right);
    (isEarlier ? rest : added).shift();
  }
  return [...joined, ...rest, ...added];
}
