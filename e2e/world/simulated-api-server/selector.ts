import type { KubeObject } from "../kube-client.ts";
import { textOf } from "./fields.ts";
import { badRequest } from "./status.ts";

/** Whether an object passes. */
export type Filter = (object: KubeObject) => boolean;

/** Both selectors of a list or watch as one filter. Throws 400 for what it does not know. */
export function filterOf(labelSelector: string, fieldSelector: string): Filter {
  const labels = splitOutside(labelSelector).map(labelFilter);
  const fields = fieldSelector.split(",").filter(Boolean).map(fieldFilter);
  const all = [...labels, ...fields];
  return (object) => all.every((filter) => filter(object));
}

function splitOutside(selector: string): string[] {
  return selector
    .split(/,(?![^(]*\))/)
    .map((part) => part.trim())
    .filter(Boolean);
}

function labelFilter(part: string): Filter {
  const set = /^(\S+)\s+(in|notin)\s+\(([^)]*)\)$/.exec(part);
  if (set !== null) {
    const [, key = "", operator, list = ""] = set;
    const values = list.split(",").map((value) => value.trim());
    const has = (object: KubeObject) => values.includes(label(object, key) ?? "\0");
    return operator === "in" ? has : (object) => !has(object);
  }
  const equal = /^([^\s=!]+)\s*(==|=|!=)\s*(\S*)$/.exec(part);
  if (equal !== null) {
    const [, key = "", operator, value = ""] = equal;
    return operator === "!=" ? (object) => label(object, key) !== value : (object) => label(object, key) === value;
  }
  const exists = /^(!?)\s*([^\s=!,()]+)$/.exec(part);
  if (exists === null) throw badRequest(`unable to parse label selector ${JSON.stringify(part)}`);
  const [, not, key = ""] = exists;
  return (object) => (label(object, key) !== undefined) !== (not === "!");
}

function label(object: KubeObject, key: string): string | undefined {
  return object.metadata.labels?.[key];
}

function fieldFilter(part: string): Filter {
  const match = /^([^=!]+)(==|=|!=)(.*)$/.exec(part);
  if (match === null) throw badRequest(`unable to parse field selector ${JSON.stringify(part)}`);
  const [, path = "", operator, value = ""] = match;
  const read = (object: KubeObject) => {
    const found = path
      .split(".")
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);
    return textOf(found);
  };
  return operator === "!=" ? (object) => read(object) !== value : (object) => read(object) === value;
}
