import type { KubeObject } from "../kube-client.ts";
import { apiVersionOf, type Kind } from "./kinds.ts";

/** Which object a request is about. */
export interface Place {
  readonly kind: Kind;
  /** Empty for cluster-scoped kinds and for all namespaces. */
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** Store bucket of a kind; all versions of a kind share one. */
export function bucketOf(kind: Kind): string {
  return `${kind.group}/${kind.plural}`;
}

/** A stored object as a version of its kind shows it. */
export function inVersion(object: KubeObject, kind: Kind): KubeObject {
  const apiVersion = apiVersionOf(kind);
  return object.apiVersion === apiVersion ? object : { ...object, apiVersion };
}

/** Store key of an object. */
export function keyOf(place: Place): string {
  return `${place.kind.namespaced ? place.namespace : ""}/${place.name}`;
}

/** Bucket and key in one. */
export function placeKey(place: Place): string {
  return `${bucketOf(place.kind)}|${keyOf(place)}`;
}
