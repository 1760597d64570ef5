/** Which object of a cluster: group and kind without the version, so that an apiVersion bump is the same object. */
export interface ObjectRef {
  readonly group: string;
  readonly kind: string;
  /** Empty for cluster-scoped objects. */
  readonly namespace: string;
  readonly name: string;
}

/** `group/Kind/namespace/name`, unique and stable; empty parts are kept. */
export function objectKey(ref: ObjectRef): string {
  return `${ref.group}/${ref.kind}/${ref.namespace}/${ref.name}`;
}

/** The reverse of `objectKey`. */
export function parseObjectKey(key: string): ObjectRef {
  const [group = "", kind = "", namespace = "", name = ""] = key.split("/");
  return { group, kind, namespace, name };
}

/** `Kind namespace/name` (or `Kind name`), as people read it. */
export function objectText(ref: ObjectRef): string {
  return `${ref.kind} ${ref.namespace === "" ? "" : `${ref.namespace}/`}${ref.name}`;
}
