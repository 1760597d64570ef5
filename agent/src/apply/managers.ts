import type { KubeObject, ManagedFieldsEntry } from "../inventory/object.ts";
import { type FieldSet, fieldsMeet, unionFields, withoutFields } from "./field-sets.ts";
import { fieldManager } from "./model.ts";

/** How far the fields of other managers become ours. */
export type Taking =
  /** Kept in use beside us: only what kubectl's apply wrote of our own fields, so that Git can still remove them. */
  | "shared"
  /** An object is taken over from another tool: what that tool wrote of our own fields. */
  | "adopted"
  /** All that kubectl and other tools wrote: what the manifest lacks goes with the next apply. */
  | "whole";

const kubectlAppliers = new Set(["kubectl-client-side-apply", "kubectl-last-applied", "before-first-apply", "kubectl"]);
const tools = new Set([
  ...kubectlAppliers,
  "kubectl-create",
  "kubectl-replace",
  "argocd-controller",
  "argocd-application-controller",
  "kustomize-controller",
  "helm-controller",
  "helm",
  "Helm",
  "Go-http-client",
]);

function isTaken(entry: ManagedFieldsEntry, taking: Taking): boolean {
  const { manager = "", operation, subresource = "" } = entry;
  if (subresource !== "" || entry.fieldsV1 === undefined) return false;
  // What we wrote without server-side apply is ours.
  if (manager === fieldManager) return operation === "Update";
  if (taking === "shared") return kubectlAppliers.has(manager);
  return tools.has(manager) || (taking === "whole" && manager.startsWith("kubectl"));
}

function isOurs(entry: ManagedFieldsEntry): boolean {
  return entry.manager === fieldManager && entry.operation === "Apply" && (entry.subresource ?? "") === "";
}

/**
 * The object's field managers after a transfer; undefined where nothing is to be transferred, so that a second look sends
 * nothing. Entries of subresources are never touched. What we wrote without server-side apply joins our entry; `whole` joins
 * the others' fields too; else fields that are ours as well leave the others' entries, and what is theirs alone stays.
 */
export function transferred(live: KubeObject, taking: Taking): readonly ManagedFieldsEntry[] | undefined {
  const entries = live.metadata.managedFields ?? [];
  const taken = entries.filter((entry) => isTaken(entry, taking));
  const joining = taken.filter(({ manager }) => taking === "whole" || manager === fieldManager);
  const own = entries.find(isOurs);
  const ours = joining.reduce((all, { fieldsV1 = {} }) => unionFields(all, fieldsV1), own?.fieldsV1 ?? {});
  const meeting = taken.filter((entry) => !joining.includes(entry) && fieldsMeet(entry.fieldsV1 ?? {}, ours));
  if (joining.length + meeting.length === 0) return undefined;
  const rest = entries.flatMap((entry) => {
    if (entry === own || joining.includes(entry)) return [];
    if (!meeting.includes(entry)) return [entry];
    const fieldsV1 = withoutFields(entry.fieldsV1 ?? {}, ours);
    return fieldsV1 === undefined ? [] : [{ ...entry, fieldsV1 }];
  });
  return [...rest, ownEntry(live, own?.time ?? joining[0]?.time, ours)];
}

function ownEntry({ apiVersion }: KubeObject, time: string | undefined, fieldsV1: FieldSet): ManagedFieldsEntry {
  const at = time === undefined ? {} : { time };
  return { manager: fieldManager, operation: "Apply", apiVersion, ...at, fieldsType: "FieldsV1", fieldsV1 };
}

/**
 * All entries at another version of the object's group, for where a schema no longer knows the old one ("field not declared
 * in schema"); undefined where all are there already.
 */
export function migrated(live: KubeObject, apiVersion: string): readonly ManagedFieldsEntry[] | undefined {
  const entries = live.metadata.managedFields ?? [];
  if (entries.every((entry) => entry.apiVersion === apiVersion)) return undefined;
  return entries.map((entry) => ({ ...entry, apiVersion }));
}
