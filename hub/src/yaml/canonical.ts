import type { Json } from "./json.ts";

/**
 * The one text of a value: keys sorted by UTF-16 code unit at every level, no spaces, bigints as plain digits, text
 * escaped as JSON.stringify does. Equal values have equal texts, so its digest names the value.
 */
export function canonicalJson(value: Json): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "number":
      return JSON.stringify(value);
    case "bigint":
    case "boolean":
      return String(value);
    default:
      return value === null ? "null" : container(value);
  }
}

function container(value: readonly Json[] | { readonly [key: string]: Json }): string {
  let text = "";
  if (isList(value)) {
    for (const item of value) text += text === "" ? canonicalJson(item) : `,${canonicalJson(item)}`;
    return `[${text}]`;
  }
  // The default sort compares code units, which is what is promised.
  for (const key of Object.keys(value).sort()) {
    const item = value[key];
    if (item === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(key)}:${canonicalJson(item)}`;
  }
  return `{${text}}`;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}
