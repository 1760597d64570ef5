import type { KubeMeta } from "../inventory/object.ts";
import { textHash } from "./hash.ts";

/**
 * What of an object's metadata changes when somebody changes the object, but not when a controller writes its status:
 * generation, labels, annotations, finalizers, owners, and the field managers without the `status` ones. Kinds without a
 * generation (ConfigMap, Secret, RBAC) have no status either; there the resourceVersion stands for all.
 */
export function fingerprint(meta: KubeMeta): string {
  const managers = (meta.managedFields ?? [])
    .filter((entry) => entry.subresource !== "status")
    .map((entry) => [entry.manager, entry.operation, entry.time, entry.subresource, entry.fieldsV1]);
  return textHash(
    JSON.stringify([
      meta.uid,
      meta.generation ?? meta.resourceVersion,
      meta.labels,
      meta.annotations,
      meta.finalizers,
      meta["ownerReferences"],
      meta.deletionTimestamp,
      managers,
    ]),
  );
}
