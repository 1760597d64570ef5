import { CallError, GoList, GoMap, isEmpty, type Value } from "./value.ts";

/**
 * Merges one map into another as dario.cat/mergo does, in place: nested maps deeply, lists whole. Without `override`
 * only missing and empty entries are filled. Nested maps of the source become shared. Throws CallError where Go panics:
 * a value that is no text in a map of texts.
 */
export function mergeMaps(into: GoMap, from: GoMap, override: boolean): void {
  for (const [key, value] of from.entries) {
    const known = into.entries.get(key);
    const exists = into.entries.has(key);
    if (value === null || value === undefined) {
      if (override) into.entries.set(key, null);
      continue;
    }
    if (value instanceof GoMap && known instanceof GoMap) mergeMaps(known, value, override);
    const full = exists && !isEmpty(known);
    if (value instanceof GoList) {
      mergeList(into, { key, value, known: full ? known : undefined }, override);
      continue;
    }
    if (full && value instanceof GoMap && known instanceof GoMap) continue;
    if (override || !full) setEntry(into, key, value, from);
  }
}

/** Both maps merged, the second winning, into one that shares nothing that a later merge could change. */
export function mergeApart(under: GoMap, over: GoMap): GoMap {
  const merged = new GoMap(new Map(under.entries), under.element);
  for (const [key, value] of over.entries) {
    const known = merged.entries.get(key);
    if (value instanceof GoMap && known instanceof GoMap) merged.entries.set(key, cloneMap(known));
  }
  const own = new GoMap(new Map(over.entries), over.element);
  for (const [key, value] of own.entries) {
    if (value instanceof GoMap && merged.entries.get(key) instanceof GoMap) own.entries.set(key, cloneMap(value));
  }
  mergeMaps(merged, own, true);
  return merged;
}

function cloneMap(map: GoMap): GoMap {
  const entries = [...map.entries].map(([key, value]): [string, Value] => [
    key,
    value instanceof GoMap ? cloneMap(value) : value,
  ]);
  return new GoMap(new Map(entries), map.element, map.isNil);
}

function mergeList(
  into: GoMap,
  entry: { readonly key: string; readonly value: GoList; readonly known: Value },
  override: boolean,
): void {
  if (entry.known !== undefined && !override) return;
  setEntry(into, entry.key, entry.value);
}

function setEntry(into: GoMap, key: string, value: Value, from?: GoMap): void {
  // Go knows the static type: an entry of a map of anything does not fit a map of texts, whatever it holds.
  if (into.element === "string" && (from === undefined || from.element !== "string")) {
    throw new CallError("reflect.Set: value of type interface {} is not assignable to type string");
  }
  into.entries.set(key, value);
}
