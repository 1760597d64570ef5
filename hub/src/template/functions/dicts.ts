import { mergeMaps } from "../merge.ts";
import { CallError, type GoFunction, GoList, GoMap, stringsOf, typeOf, type Value } from "../value.ts";
import { define, type FunctionTable, fail, mapOf, text } from "./define.ts";
import { strval } from "./strings.ts";

const mustMerge = merging(false);
const mustMergeOverwrite = merging(true);
const copy = define("any", ([value], context) =>
  value === null || value === undefined
    ? fail("reflect: call of reflect.Value.Type on zero Value")
    : deepCopy(value, context),
);

/** Sprig's functions on maps. `set`, `unset` and the merges change their first map in place. */
export const dictFunctions: FunctionTable = {
  dict: define("...any", dict),
  get: define("map string", ([map, key]) =>
    mapOf(map).entries.has(text(key)) ? mapOf(map).entries.get(text(key)) : "",
  ),
  set: define("map string any", ([map, key, value]) => {
    if (mapOf(map).isNil) fail("assignment to entry in nil map");
    mapOf(map).entries.set(text(key), value);
    return map;
  }),
  unset: define("map string", ([map, key]) => {
    mapOf(map).entries.delete(text(key));
    return map;
  }),
  hasKey: define("map string", ([map, key]) => mapOf(map).entries.has(text(key))),
  pluck: define("string ...map", ([key, ...maps]) => {
    const name = text(key);
    return new GoList(maps.filter((map) => mapOf(map).entries.has(name)).map((map) => mapOf(map).entries.get(name)));
  }),
  // Go gives these in random order; sorted is one of them.
  keys: define("...map", (maps) => stringsOf(maps.flatMap((map) => mapOf(map).sortedKeys()))),
  values: define(
    "map",
    ([map]) =>
      new GoList(
        mapOf(map)
          .sortedKeys()
          .map((key) => mapOf(map).entries.get(key)),
      ),
  ),
  pick: define("map ...string", ([map, ...keys]) => filtered(mapOf(map), (key) => keys.includes(key))),
  omit: define("map ...string", ([map, ...keys]) => filtered(mapOf(map), (key) => !keys.includes(key))),
  merge: mustMerge,
  mergeOverwrite: mustMergeOverwrite,
  mustMerge,
  mustMergeOverwrite,
  deepCopy: copy,
  mustDeepCopy: copy,
  dig: define("...any", dig),
};

function dict(values: readonly Value[]): GoMap {
  const entries = new Map<string, Value>();
  for (let at = 0; at < values.length; at += 2) {
    entries.set(strval(values[at]), at + 1 < values.length ? values[at + 1] : "");
  }
  return new GoMap(entries);
}

function filtered(map: GoMap, keep: (key: string) => boolean): GoMap {
  return new GoMap(new Map([...map.entries].filter(([key]) => keep(key))));
}

function merging(override: boolean): GoFunction {
  return define("map ...map", ([into, ...sources], context) => {
    for (const source of sources) {
      if (mapOf(into).isNil && !mapOf(source).isNil) return deepCopy(source, context);
      context.charge(mapOf(source).entries.size);
      mergeMaps(mapOf(into), mapOf(source), override);
    }
    return into;
  });
}

function deepCopy(value: Value, context: { charge(steps: number): void }): Value {
  context.charge(1);
  if (value instanceof GoList) {
    return new GoList(
      value.items.map((item) => deepCopy(item, context)),
      value.element,
      value.isNil,
    );
  }
  if (typeof value === "object" && value !== null && "copied" in value) return value.copied();
  if (!(value instanceof GoMap)) return value;
  const entries = [...value.entries].map(([key, item]): [string, Value] => [key, deepCopy(item, context)]);
  return new GoMap(new Map(entries), value.element, value.isNil);
}

function dig(values: readonly Value[]): Value {
  if (values.length < 3) fail("dig needs at least three arguments");
  const fallback = values[values.length - 2];
  let current = anyMap(values[values.length - 1]);
  const keys = values.slice(0, -2).map((key) => (typeof key === "string" ? key : mismatch(key, "string")));
  for (const [index, key] of keys.entries()) {
    if (!current.entries.has(key)) return fallback;
    const value = current.entries.get(key);
    if (index === keys.length - 1) return value;
    current = anyMap(value);
  }
  return fallback;
}

function anyMap(value: Value): GoMap {
  return value instanceof GoMap && value.element === "any" ? value : mismatch(value, "map[string]interface {}");
}

/** What Go's failed type assertion says. */
function mismatch(value: Value, type: string): never {
  const found = value === undefined || value === null ? "nil" : typeOf(value);
  throw new CallError(`interface conversion: interface {} is ${found}, not ${type}`);
}
