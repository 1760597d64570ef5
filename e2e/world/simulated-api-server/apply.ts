import type { KubeObject } from "../kube-client.ts";
import {
  difference,
  differing,
  type FieldSet,
  fieldSetOf,
  isLeaf,
  leafPaths,
  overlap,
  overlay,
  union,
  without,
} from "./fields.ts";
import { ApiRefusal } from "./status.ts";

/** One entry of metadata.managedFields. */
export interface ManagedFields {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  readonly time: string;
  readonly fieldsType: "FieldsV1";
  readonly fieldsV1: FieldSet;
  readonly subresource?: string;
}

/** Who writes, and how. */
export interface Writer {
  readonly manager: string;
  /** Take over what other managers own. */
  readonly force: boolean;
  /** RFC 3339, for new entries. */
  readonly time: string;
  readonly subresource?: string;
}

// What the server itself keeps in metadata, and what names an object: owned by nobody.
const serverFields = new Set([
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "managedFields",
  "selfLink",
]);

/** The managed fields of an object. */
export function managedFieldsOf(object: KubeObject): readonly ManagedFields[] {
  return (object.metadata["managedFields"] as readonly ManagedFields[] | undefined) ?? [];
}

/** An object with other managed fields. */
export function withManagedFields(object: KubeObject, entries: readonly ManagedFields[]): KubeObject {
  return { ...object, metadata: { ...object.metadata, managedFields: entries } };
}

/** Fields of an object that somebody can own. */
export function ownable(object: KubeObject): FieldSet {
  const { apiVersion: _apiVersion, kind: _kind, metadata, ...rest } = object;
  const fields = Object.entries(metadata).filter(([name]) => !serverFields.has(name));
  const set = fieldSetOf({ ...rest, ...(fields.length === 0 ? {} : { metadata: Object.fromEntries(fields) }) });
  return set;
}

/**
 * Server-side apply of `applied` over `live` (undefined: it is created). Fields that the writer applied before and
 * leaves out now, and that nobody else owns, are removed. Throws 409 naming fields of other managers that would change,
 * unless forced; force takes them from their owners.
 */
export function applyTo(live: KubeObject | undefined, applied: KubeObject, writer: Writer): KubeObject {
  const wanted = ownable(applied);
  const entries = live === undefined ? [] : managedFieldsOf(live);
  const mine = entries.find((entry) => isWriter(entry, "Apply", writer));
  const others = entries.filter((entry) => entry !== mine);
  const base: KubeObject = live ?? { ...applied, metadata: { ...applied.metadata } };
  const changed = live === undefined ? {} : differing(wanted, [live, applied]);
  const taken = others.map((entry) => overlap(entry.fieldsV1, changed));
  if (!writer.force) refuseConflicts(applied, others, taken);
  const kept = others.flatMap((entry, index) => reduced(entry, taken[index] ?? {}));
  const ownedElsewhere = kept.reduce<FieldSet>((all, entry) => union(all, entry.fieldsV1), {});
  const dropped = difference(difference(mine?.fieldsV1 ?? {}, wanted), ownedElsewhere);
  const merged = without(overlay(base, strip(applied)), dropped) as KubeObject;
  const entry = entryFor(applied.apiVersion, "Apply", writer, wanted);
  return withManagedFields(merged, [...kept, keepTime(entry, mine)]);
}

/** Managed fields after a write that is no apply: what changed belongs to the writer. */
export function updateManagers(before: KubeObject | undefined, after: KubeObject, writer: Writer): KubeObject {
  const entries = before === undefined ? [] : managedFieldsOf(before);
  const all = union(ownable(after), before === undefined ? {} : ownable(before));
  const changed = differing(all, [before, after]);
  const gone = difference(before === undefined ? {} : ownable(before), ownable(after));
  const mine = entries.find((entry) => isWriter(entry, "Update", writer));
  const owned = difference(union(mine?.fieldsV1 ?? {}, changed), gone);
  const others = entries.filter((entry) => entry !== mine).flatMap((entry) => reduced(entry, union(changed, gone)));
  if (isLeaf(owned)) return withManagedFields(after, others);
  return withManagedFields(after, [...others, keepTime(entryFor(after.apiVersion, "Update", writer, owned), mine)]);
}

/** An entry without what others took; one that is emptied by it goes, one that was empty before stays. */
function reduced(entry: ManagedFields, taken: FieldSet): ManagedFields[] {
  const fieldsV1 = difference(entry.fieldsV1, taken);
  return isLeaf(fieldsV1) && !isLeaf(entry.fieldsV1) ? [] : [{ ...entry, fieldsV1 }];
}

function refuseConflicts(object: KubeObject, others: readonly ManagedFields[], taken: readonly FieldSet[]): void {
  const causes = others.flatMap((entry, index) =>
    leafPaths(taken[index] ?? {}).map((field) => ({
      reason: "FieldManagerConflict",
      message: `conflict with "${entry.manager}" using ${entry.apiVersion}`,
      field,
    })),
  );
  if (causes.length === 0) return;
  const fields = causes.map((cause) => `- ${cause.field}`).join("\n");
  const message = `Apply failed with ${causes.length} conflict${causes.length === 1 ? "" : "s"}: ${causes[0]?.message}:\n${fields}`;
  throw new ApiRefusal(409, "Conflict", message, { name: object.metadata.name, kind: object.kind, causes });
}

function isWriter(entry: ManagedFields, operation: ManagedFields["operation"], writer: Writer): boolean {
  return entry.manager === writer.manager && entry.operation === operation && entry.subresource === writer.subresource;
}

function entryFor(
  apiVersion: string,
  operation: ManagedFields["operation"],
  writer: Writer,
  fieldsV1: FieldSet,
): ManagedFields {
  const { manager, time, subresource } = writer;
  const base = { manager, operation, apiVersion, time, fieldsType: "FieldsV1", fieldsV1 } as const;
  return subresource === undefined ? base : { ...base, subresource };
}

/** The time of an entry moves only when its fields do, so that an unchanged apply changes nothing. */
function keepTime(entry: ManagedFields, before: ManagedFields | undefined): ManagedFields {
  const unmoved =
    before !== undefined &&
    isLeaf(difference(entry.fieldsV1, before.fieldsV1)) &&
    isLeaf(difference(before.fieldsV1, entry.fieldsV1));
  return unmoved ? { ...entry, time: before.time } : entry;
}

/** Server-kept metadata of an applied object does not count. */
function strip(applied: KubeObject): KubeObject {
  const metadata = Object.fromEntries(
    Object.entries(applied.metadata).filter(
      ([name]) => name === "name" || name === "namespace" || !serverFields.has(name),
    ),
  );
  return { ...applied, metadata: metadata as KubeObject["metadata"] };
}
