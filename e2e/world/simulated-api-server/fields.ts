/** A set of owned fields in FieldsV1 form: `f:name` and `k:{"name":"x"}` lead to deeper sets, `{}` is a leaf. */
export interface FieldSet {
  [step: string]: FieldSet;
}

type Json = unknown;
type JsonObject = { [key: string]: Json };

/** Lists that merge by key: field name of the list → fields that make an item's key, tried in turn. */
const listKeys: Readonly<Record<string, readonly (readonly string[])[]>> = {
  containers: [["name"]],
  initContainers: [["name"]],
  ephemeralContainers: [["name"]],
  env: [["name"]],
  volumes: [["name"]],
  volumeMounts: [["mountPath"]],
  imagePullSecrets: [["name"]],
  conditions: [["type"]],
  ownerReferences: [["uid"]],
  ports: [
    ["containerPort", "protocol"],
    ["port", "protocol"],
  ],
};

const defaults: Readonly<Record<string, Json>> = { protocol: "TCP" };

/** A JSON object, as opposed to a list or a scalar. */
export function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The `k:{…}` step of a list item, or undefined when its list is atomic. */
export function itemStep(list: string, item: Json): string | undefined {
  if (!isObject(item)) return undefined;
  for (const names of listKeys[list] ?? []) {
    const values = names.map((name) => item[name] ?? defaults[name]);
    if (values.every((value) => value !== undefined)) {
      return `k:${JSON.stringify(Object.fromEntries(names.map((name, index) => [name, values[index]])))}`;
    }
  }
  return undefined;
}

/** Whether every item of a list has a key, so that the list merges item by item. */
export function isKeyed(list: string, value: Json): value is JsonObject[] {
  return Array.isArray(value) && value.length > 0 && value.every((item) => itemStep(list, item) !== undefined);
}

/** A JSON value as text: strings as they are, nothing as the empty text, all else as JSON. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : value === undefined || value === null ? "" : JSON.stringify(value);
}

/** All fields that a value sets; maps and keyed lists are walked, all else is a leaf. */
export function fieldSetOf(value: Json, name = ""): FieldSet {
  const set: FieldSet = {};
  if (isObject(value)) {
    for (const [key, inner] of Object.entries(value)) set[`f:${key}`] = fieldSetOf(inner, key);
  } else if (isKeyed(name, value)) {
    for (const item of value) set[itemStep(name, item) ?? ""] = fieldSetOf(item);
  }
  return set;
}

/** Leaves and inner steps of both. */
export function union(left: FieldSet, right: FieldSet): FieldSet {
  const result: FieldSet = { ...left };
  for (const [step, inner] of Object.entries(right)) {
    const mine = result[step];
    result[step] = mine === undefined ? inner : union(mine, inner);
  }
  return result;
}

/** What is in `left` and not in `right`; a step whose leaves are all gone is gone. */
export function difference(left: FieldSet, right: FieldSet): FieldSet {
  const result: FieldSet = {};
  for (const [step, inner] of Object.entries(left)) {
    const other = right[step];
    if (other === undefined) result[step] = inner;
    else if (!isLeaf(inner) && !isLeaf(other)) {
      const rest = difference(inner, other);
      if (!isLeaf(rest)) result[step] = rest;
    }
  }
  return result;
}

/** Paths (as text) of the leaves that are in both and whose values differ between two objects. */
export function overlap(left: FieldSet, right: FieldSet): FieldSet {
  const result: FieldSet = {};
  for (const [step, inner] of Object.entries(left)) {
    const other = right[step];
    if (other === undefined) continue;
    if (isLeaf(inner) || isLeaf(other)) result[step] = {};
    else {
      const both = overlap(inner, other);
      if (!isLeaf(both)) result[step] = both;
    }
  }
  return result;
}

/** A set without deeper steps: a leaf, or nothing. */
export function isLeaf(set: FieldSet): boolean {
  return Object.keys(set).length === 0;
}

/** The leaves as paths: `.spec.template.spec.containers[name="web"].image`. */
export function leafPaths(set: FieldSet, prefix = ""): string[] {
  return Object.entries(set).flatMap(([step, inner]) => {
    const path = prefix + stepText(step);
    return isLeaf(inner) ? [path] : leafPaths(inner, path);
  });
}

function stepText(step: string): string {
  if (step.startsWith("f:")) return `.${step.slice(2)}`;
  const keys = JSON.parse(step.slice(2)) as JsonObject;
  return `[${Object.entries(keys)
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .join(",")}]`;
}

/** The value that a step leads to, or undefined. */
export function stepInto(value: Json, step: string, list: string): Json {
  if (step.startsWith("f:")) return isObject(value) ? value[step.slice(2)] : undefined;
  return Array.isArray(value) ? value.find((item) => itemStep(list, item) === step) : undefined;
}

/** The part of `set` at whose leaves the two values differ. */
export function differing(set: FieldSet, values: readonly [Json, Json], list = ""): FieldSet {
  const result: FieldSet = {};
  for (const [step, inner] of Object.entries(set)) {
    const left = stepInto(values[0], step, list);
    const right = stepInto(values[1], step, list);
    if (isLeaf(inner)) {
      if (!same(left, right)) result[step] = {};
    } else {
      const below = differing(inner, [left, right], step.startsWith("f:") ? step.slice(2) : "");
      if (!isLeaf(below)) result[step] = below;
    }
  }
  return result;
}

/** Deep equality, whatever the order of keys. */
export function same(left: Json, right: Json): boolean {
  if (left === right) return true;
  if (Array.isArray(left) && Array.isArray(right)) {
    return left.length === right.length && left.every((item, index) => same(item, right[index]));
  }
  if (!isObject(left) || !isObject(right)) return false;
  const keys = Object.keys(left);
  return keys.length === Object.keys(right).length && keys.every((key) => key in right && same(left[key], right[key]));
}

/** `live` with every field of `applied` laid over it, keyed lists merged item by item; inputs stay as they are. */
export function overlay(live: Json, applied: Json, list = ""): Json {
  if (isObject(live) && isObject(applied)) {
    const result: JsonObject = { ...live };
    for (const [key, value] of Object.entries(applied)) result[key] = overlay(live[key], value, key);
    return result;
  }
  if (isKeyed(list, live) && isKeyed(list, applied)) {
    const merged: Json[] = live.map((item) => {
      const match = applied.find((other) => itemStep(list, other) === itemStep(list, item));
      return match === undefined ? item : overlay(item, match);
    });
    const known = new Set(live.map((item) => itemStep(list, item)));
    return [...merged, ...applied.filter((item) => !known.has(itemStep(list, item)))];
  }
  return applied;
}

/** `value` without the leaves of `set`; maps and items that are emptied by it go as well. */
export function without(value: Json, set: FieldSet, list = ""): Json {
  if (isObject(value)) {
    const result: JsonObject = { ...value };
    for (const [step, inner] of Object.entries(set)) {
      const key = step.slice(2);
      if (!step.startsWith("f:") || !(key in result)) continue;
      const left = isLeaf(inner) ? undefined : without(result[key], inner, key);
      if (left === undefined || isEmpty(left)) delete result[key];
      else result[key] = left;
    }
    return result;
  }
  if (!isKeyed(list, value)) return value;
  return value
    .map((item) => {
      const step = itemStep(list, item) ?? "";
      const inner = set[step];
      return inner === undefined ? item : isLeaf(inner) ? undefined : without(item, inner);
    })
    .filter((item) => item !== undefined && !isEmpty(item));
}

function isEmpty(value: Json): boolean {
  return (Array.isArray(value) && value.length === 0) || (isObject(value) && Object.keys(value).length === 0);
}
