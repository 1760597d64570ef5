import type { ObjectRef } from "@capstan/proto";

/** When an object is applied: a stage starts only after the one before it is there. */
export type Stage = 0 | 1 | 2 | 3;

const webhooks = new Set(["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);
const definitions = new Set(["CustomResourceDefinition", "Namespace", "ClusterRole"]);

/**
 * 0: what others are made of (CRDs, Namespaces, ClusterRoles). 1: every kind that ends in `Class`. 2: the rest.
 * 3: admission webhooks, which would otherwise stand in the way of what they need to run.
 */
export function stageOf(kind: string): Stage {
  if (definitions.has(kind)) return 0;
  if (kind.endsWith("Class")) return 1;
  return webhooks.has(kind) ? 3 : 2;
}

/** A bundle's order: stage, then group, kind, namespace, name, each compared by code units. */
export function compareObjects(one: ObjectRef, other: ObjectRef): number {
  return (
    stageOf(one.kind) - stageOf(other.kind) ||
    compare(one.group, other.group) ||
    compare(one.kind, other.kind) ||
    compare(one.namespace, other.namespace) ||
    compare(one.name, other.name)
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
