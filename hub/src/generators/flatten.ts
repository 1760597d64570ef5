import { valueText } from "../template/format.ts";
import { GoList, GoMap, type Value } from "../template/value.ts";

/**
 * Parameters as flat names to texts, as github.com/jeremywohl/flatten and `%v` make them: `a.b`, `a.0`; empty maps and
 * lists vanish. Lists of texts and of maps are leaves.
 */
export function flatten(params: GoMap, openStringMaps = true): Map<string, string> {
  const flat = new Map<string, string>();
  visit(params, "", { flat, openStringMaps });
  return flat;
}

function visit(
  value: Value,
  name: string,
  into: { readonly flat: Map<string, string>; readonly openStringMaps: boolean },
): void {
  const join = (key: string) => (name === "" ? key : `${name}.${key}`);
  if (value instanceof GoMap && (value.element === "any" || into.openStringMaps)) {
    for (const [key, item] of value.entries) visit(item, join(key), into);
  } else if (value instanceof GoList && value.element === "any") {
    for (const [index, item] of value.items.entries()) visit(item, join(String(index)), into);
  } else {
    into.flat.set(name, valueText(value ?? null));
  }
}
