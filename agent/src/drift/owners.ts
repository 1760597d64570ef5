import type { KubeObject, ManagedFieldsEntry } from "../inventory/object.ts";
import { isMap, type Step } from "./compare.ts";

/** Who wrote a field last, as far as `managedFields` tells. */
export interface FieldOwner {
  readonly manager: string;
  readonly time: string | undefined;
}

/**
 * The manager that owns the live field at a path, or a parent of it as a whole. With several, the one that wrote last and
 * is not `self`; `self` only where it is alone.
 */
export function fieldOwner(live: KubeObject, path: readonly Step[], self: string): FieldOwner | undefined {
  let best: ManagedFieldsEntry | undefined;
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.fieldsV1 === undefined || !owns(entry.fieldsV1, live, path)) continue;
    if (best === undefined || newer(entry, best, self)) best = entry;
  }
  return best?.manager === undefined ? undefined : { manager: best.manager, time: best.time };
}

/** Whether one of the managers owns the live field at a path, or a parent of it as a whole. */
export function ownedBy(live: KubeObject, path: readonly Step[], managers: ReadonlySet<string>): boolean {
  return (live.metadata.managedFields ?? []).some(
    (entry) => managers.has(entry.manager ?? "") && entry.fieldsV1 !== undefined && owns(entry.fieldsV1, live, path),
  );
}

/** Whether another manager than `self` applies (server-side) the live field at a path, or a parent of it as a whole. */
export function appliedByOther(live: KubeObject, path: readonly Step[], self: string): boolean {
  return (live.metadata.managedFields ?? []).some(
    ({ manager, operation, subresource, fieldsV1 }) =>
      manager !== self &&
      operation === "Apply" &&
      (subresource ?? "") === "" &&
      fieldsV1 !== undefined &&
      owns(fieldsV1, live, path),
  );
}

function newer(entry: ManagedFieldsEntry, best: ManagedFieldsEntry, self: string): boolean {
  if ((entry.manager === self) !== (best.manager === self)) return best.manager === self;
  return (entry.time ?? "") > (best.time ?? "");
}

/** Follows `f:`, `k:` and `v:` keys of a fieldsV1 set along a path. */
function owns(fields: Readonly<Record<string, unknown>>, live: unknown, path: readonly Step[]): boolean {
  const [step, ...rest] = path;
  if (step === undefined) return true;
  const value = typeof step === "string" ? (isMap(live) ? live[step] : undefined) : itemAt(live, step.index);
  const key = typeof step === "string" ? `f:${step}` : itemKey(fields, value);
  const below = key === undefined ? undefined : fields[key];
  if (!isMap(below)) return false;
  // A leaf (`{}`) owns all that is under it: an atomic list or map, or a scalar.
  if (Object.keys(below).length === 0) return true;
  return owns(below, value, rest);
}

function itemAt(list: unknown, index: number): unknown {
  return Array.isArray(list) ? (list[index] as unknown) : undefined;
}

/** The key of a list item in a field set: `k:{"name":"app"}` whose fields the item has, or `v:"x"`. */
function itemKey(fields: Readonly<Record<string, unknown>>, item: unknown): string | undefined {
  for (const key of Object.keys(fields)) {
    if (key.startsWith("v:") && key.slice(2) === JSON.stringify(item)) return key;
    if (!key.startsWith("k:") || !isMap(item)) continue;
    const wanted: unknown = JSON.parse(key.slice(2));
    if (isMap(wanted) && Object.entries(wanted).every(([name, value]) => item[name] === value)) return key;
  }
  return undefined;
}
