import type { TargetKey } from "@capstan/proto";
import { textHash } from "../drift/hash.ts";
import type { KubeObject } from "../inventory/object.ts";
import { fieldManager, ownerAnnotation, targetLabel } from "./model.ts";

/** The label's value for a target: `NAMESPACE.NAME`, or its first 38 characters and a hash where that passes 63. */
export function labelValue(target: TargetKey): string {
  const plain = target.replace("/", ".");
  return plain.length <= 63 ? plain : `${plain.slice(0, 38)}.${textHash(target)}`;
}

/** The object with our label and annotation. */
export function stamp(object: KubeObject, target: TargetKey): KubeObject {
  const { labels, annotations } = object.metadata;
  return {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...labels, [targetLabel]: labelValue(target) },
      annotations: { ...annotations, [ownerAnnotation]: target },
    },
  };
}

/** The target that a live object says it belongs to. */
export function ownerOf(live: KubeObject): TargetKey | undefined {
  return live.metadata.annotations?.[ownerAnnotation] as TargetKey | undefined;
}

/** Whether both marks of a live object name the target. */
export function isOwnedBy(live: KubeObject, target: TargetKey): boolean {
  return ownerOf(live) === target && live.metadata.labels?.[targetLabel] === labelValue(target);
}

/** Whether we have applied the object before, marks or not. */
export function wasAppliedByUs(live: KubeObject): boolean {
  return (live.metadata.managedFields ?? []).some(
    (entry) => entry.manager === fieldManager && entry.operation === "Apply" && (entry.subresource ?? "") === "",
  );
}

/** Who else made the object, as its field managers tell: for people. */
export function makersOf(live: KubeObject): string {
  const names = new Set<string>();
  for (const entry of live.metadata.managedFields ?? []) {
    if (entry.manager !== undefined && entry.manager !== fieldManager && entry.subresource !== "status") {
      names.add(entry.manager);
    }
  }
  return names.size === 0 ? "an unknown tool" : [...names].join(", ");
}
