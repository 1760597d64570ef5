import type { ObjectRef } from "@capstan/proto";

/** One entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  readonly manager?: string;
  readonly operation?: string;
  readonly apiVersion?: string;
  readonly time?: string;
  readonly subresource?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: Readonly<Record<string, unknown>>;
}

/** What every object carries about itself. */
export interface KubeMeta {
  readonly name: string;
  readonly namespace?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly generation?: number;
  readonly creationTimestamp?: string;
  readonly deletionTimestamp?: string;
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly ManagedFieldsEntry[];
  readonly [field: string]: unknown;
}

/** A Kubernetes object as parsed JSON. Only what all kinds share is typed. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: KubeMeta;
  readonly [field: string]: unknown;
}

/** A kind as its group serves it in one version. */
export interface KindRef {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

/** Where an object is found: its identity, and the version to ask for. */
export interface ObjectAddress extends ObjectRef {
  readonly version: string;
}

/** `apps/v1` → group `apps`, version `v1`; `v1` → group ``. */
export function parseApiVersion(apiVersion: string): { readonly group: string; readonly version: string } {
  const slash = apiVersion.indexOf("/");
  if (slash < 0) return { group: "", version: apiVersion };
  return { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** The reverse of `parseApiVersion`. */
export function printApiVersion(kind: { readonly group: string; readonly version: string }): string {
  return kind.group === "" ? kind.version : `${kind.group}/${kind.version}`;
}

/** The kind of an object. */
export function kindOf(object: KubeObject): KindRef {
  return { ...parseApiVersion(object.apiVersion), kind: object.kind };
}

/** The address of an object as it names itself. */
export function addressOf(object: KubeObject): ObjectAddress {
  return { ...kindOf(object), namespace: object.metadata.namespace ?? "", name: object.metadata.name };
}

/** Whether a kind's values must never be shown. */
export function isSecretKind(kind: { readonly group: string; readonly kind: string }): boolean {
  return kind.group === "" && kind.kind === "Secret";
}
