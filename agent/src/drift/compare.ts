import type { KubeObject } from "../inventory/object.ts";

/** A step into an object: a field, or a list's item (`match` names it where its list has unique names). */
export type Step = string | { readonly index: number; readonly match: string | undefined };

/** One place where two objects differ. `undefined` on a side: the field is absent there. */
export interface RawDifference {
  readonly path: readonly Step[];
  readonly live: unknown;
  readonly wanted: unknown;
}

/** What servers write into `metadata` by themselves. */
const serverWritten = new Set([
  "managedFields",
  "resourceVersion",
  "generation",
  "uid",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "selfLink",
]);

/**
 * Where the live object differs from what a dry-run of the desired one returned. Both come from the same server, so that
 * defaults, quantity spelling and key order are equal already. `status` is not compared; finalizers and owner references
 * are. At most `limit` differences.
 */
export function compareObjects(live: KubeObject, wanted: KubeObject, limit = 50): readonly RawDifference[] {
  const found: RawDifference[] = [];
  const fields = new Set([...Object.keys(live), ...Object.keys(wanted)]);
  fields.delete("status");
  fields.delete("metadata");
  const meta = new Set([...Object.keys(live.metadata), ...Object.keys(wanted.metadata)]);
  for (const field of meta) {
    if (serverWritten.has(field)) continue;
    const empty = field === "labels" || field === "annotations" ? {} : undefined;
    walk(["metadata", field], live.metadata[field] ?? empty, wanted.metadata[field] ?? empty, found);
  }
  for (const field of fields) walk([field], live[field], wanted[field], found);
  return found.slice(0, limit);
}

function walk(path: readonly Step[], live: unknown, wanted: unknown, found: RawDifference[]): void {
  if (live === wanted) return;
  if (Array.isArray(live) && Array.isArray(wanted)) walkLists(path, live, wanted, found);
  else if (isMap(live) && isMap(wanted)) {
    for (const key of new Set([...Object.keys(live), ...Object.keys(wanted)])) {
      walk([...path, key], live[key], wanted[key], found);
    }
  } else found.push({ path, live, wanted });
}

function walkLists(
  path: readonly Step[],
  live: readonly unknown[],
  wanted: readonly unknown[],
  found: RawDifference[],
) {
  const liveNames = uniqueNames(live);
  const wantedNames = uniqueNames(wanted);
  if (liveNames === undefined || wantedNames === undefined) {
    for (let index = 0; index < Math.max(live.length, wanted.length); index++) {
      walk([...path, { index, match: undefined }], live[index], wanted[index], found);
    }
    return;
  }
  for (const name of new Set([...liveNames.keys(), ...wantedNames.keys()])) {
    const index = liveNames.get(name) ?? -1;
    const step = { index, match: `name=${name}` };
    walk([...path, step], live[index], wanted[wantedNames.get(name) ?? -1], found);
  }
  const order = (names: ReadonlyMap<string, number>) => JSON.stringify([...names.keys()]);
  const sameSet = liveNames.size === wantedNames.size && [...liveNames.keys()].every((name) => wantedNames.has(name));
  if (sameSet && order(liveNames) !== order(wantedNames)) {
    found.push({ path, live: [...liveNames.keys()], wanted: [...wantedNames.keys()] });
  }
}

/** The index of each item by its `name`, where all items are maps with distinct names. */
function uniqueNames(list: readonly unknown[]): ReadonlyMap<string, number> | undefined {
  const names = new Map<string, number>();
  for (const [index, item] of list.entries()) {
    const name = isMap(item) ? item["name"] : undefined;
    if (typeof name !== "string" || names.has(name)) return undefined;
    names.set(name, index);
  }
  return names;
}

/** Whether a value is a JSON object. */
export function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A path as people write it: `spec.containers[name=app].image`, `metadata.labels[example.com/x]`. */
export function pathText(path: readonly Step[]): string {
  let text = "";
  for (const step of path) {
    if (typeof step !== "string") text += `[${step.match ?? step.index}]`;
    else if (/^[A-Za-z0-9_-]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${step}]`;
  }
  return text;
}

/** A path as an RFC 6901 pointer: `/spec/containers/0/image`. An item that the live list lacks is `-`, after its last. */
export function pointerText(path: readonly Step[]): string {
  const part = (step: Step) => {
    if (typeof step !== "string") return step.index < 0 ? "-" : String(step.index);
    return step.replaceAll("~", "~0").replaceAll("/", "~1");
  };
  return path.map((step) => `/${part(step)}`).join("");
}
