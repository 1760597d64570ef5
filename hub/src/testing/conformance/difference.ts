import type { Json, JsonObject } from "../../yaml/json.ts";

/** Where two JSON values first differ, as a line for people; undefined: nowhere. Numbers count by value, as doubles. */
export function firstDifference(expected: Json | undefined, found: Json | undefined, path: string): string | undefined {
  if (Array.isArray(expected) && Array.isArray(found)) {
    for (let index = 0; index < Math.max(expected.length, found.length); index += 1) {
      const difference = firstDifference(expected[index], found[index], `${path}[${index}]`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  if (isObject(expected) && isObject(found)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(found)])) {
      const difference = firstDifference(expected[key], found[key], `${path}.${key}`);
      if (difference !== undefined) return difference;
    }
    return undefined;
  }
  const [left, right] = [plain(expected), plain(found)];
  return left === right ? undefined : `${path}: expected ${shown(left)}, found ${shown(right)}`;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain(value: Json | undefined): Json | undefined {
  return typeof value === "bigint" ? Number(value) : value;
}

function shown(value: Json | undefined): string {
  if (value === undefined) return "nothing";
  return JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? Number(inner) : inner));
}
