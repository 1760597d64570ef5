import { createHash, randomUUID } from "node:crypto";
import type { KubeObject } from "../kube-client.ts";
import { managedFieldsOf } from "./apply.ts";
import { ApiRefusal } from "./status.ts";

const largestData = 1024 * 1024;

/** A new object with what the server gives it at birth. */
export function born(object: KubeObject): KubeObject {
  const counted = "spec" in object && object.kind !== "Namespace";
  const metadata = {
    ...object.metadata,
    uid: object.metadata.uid ?? randomUUID(),
    creationTimestamp: now(),
    ...(counted ? { generation: 1 } : {}),
  };
  return { ...object, metadata };
}

/** `wanted` as the next form of `live`: server-kept metadata, and a higher generation where the content moved. */
export function withGeneration(live: KubeObject, wanted: KubeObject, moved: boolean): KubeObject {
  const metadata = keepServerFields(live, wanted);
  const generation = live.metadata.generation;
  if (generation === undefined || !moved) return { ...wanted, metadata };
  return { ...wanted, metadata: { ...metadata, generation: generation + 1 } };
}

/** Metadata of `wanted` with what the server keeps taken from `live`. */
export function keepServerFields(live: KubeObject, wanted: KubeObject): KubeObject["metadata"] {
  const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = live.metadata;
  const kept = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation };
  const given = Object.fromEntries(Object.entries(kept).filter(([, value]) => value !== undefined));
  const managedFields = wanted.metadata["managedFields"] ?? managedFieldsOf(live);
  const { resourceVersion: _given, ...rest } = wanted.metadata;
  const resourceVersion = live.metadata.resourceVersion ?? "";
  return { ...rest, ...given, managedFields, resourceVersion };
}

/** What a generation counts: all but metadata and status. */
export function content(object: KubeObject): unknown {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
}

/** An object without its resourceVersion, for comparison. */
export function withoutVersion(object: KubeObject): unknown {
  const { resourceVersion: _version, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** What holds a deletion. */
export function finalizers(object: KubeObject): readonly unknown[] {
  return (object.metadata["finalizers"] ?? []) as readonly unknown[];
}

/** One owner. */
export interface OwnerReference {
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
}

/** Who owns an object. */
export function ownerReferences(object: KubeObject): readonly OwnerReference[] {
  return (object.metadata["ownerReferences"] ?? []) as readonly OwnerReference[];
}

/** Throws 422 for a ConfigMap or Secret of more than 1 MiB. */
export function checkSize(object: KubeObject): void {
  if (object.kind !== "Secret" && object.kind !== "ConfigMap") return;
  const size = JSON.stringify(object["data"] ?? {}).length * (object.kind === "Secret" ? 0.75 : 1);
  if (size > largestData) {
    throw new ApiRefusal(422, "Invalid", `${object.kind} "${object.metadata.name}" is invalid: data: Too long`);
  }
}

/** The same UID for the same id and name. */
export function stableUid(id: string, name: string): string {
  const hex = createHash("sha256").update(`${id}/${name}`).digest("hex");
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

/** RFC 3339, in seconds. */
export function now(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}
