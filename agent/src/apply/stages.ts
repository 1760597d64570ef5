import type { PreparedObject } from "./model.ts";

/**
 * Stages, each finished before the next begins: what others need to be served or allowed at all; what others refer to
 * when they are admitted; everything else; and last what could refuse the objects before it.
 */
const stageNames = ["definitions", "grounds", "objects", "webhooks"] as const;
/** The name of a stage, for people. */
export type StageName = (typeof stageNames)[number];

const definitions = new Set([
  "/Namespace",
  "apiextensions.k8s.io/CustomResourceDefinition",
  "rbac.authorization.k8s.io/ClusterRole",
]);
const grounds = new Set(["rbac.authorization.k8s.io/Role", "/ServiceAccount", "/ResourceQuota", "/LimitRange"]);
const webhooks = new Set([
  "admissionregistration.k8s.io/MutatingWebhookConfiguration",
  "admissionregistration.k8s.io/ValidatingWebhookConfiguration",
  "admissionregistration.k8s.io/MutatingAdmissionPolicyBinding",
  "admissionregistration.k8s.io/ValidatingAdmissionPolicyBinding",
]);

/** Order inside a stage; kinds not listed come after these and before webhooks, by group and kind. */
const ranks = new Map(
  [
    "Namespace",
    "CustomResourceDefinition",
    "ClusterRole",
    "PriorityClass",
    "RuntimeClass",
    "StorageClass",
    "IngressClass",
    "GatewayClass",
    "ResourceQuota",
    "LimitRange",
    "ServiceAccount",
    "Role",
    "ClusterRoleBinding",
    "RoleBinding",
    "NetworkPolicy",
    "Secret",
    "ConfigMap",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Service",
    "PodDisruptionBudget",
    "DaemonSet",
    "Pod",
    "ReplicaSet",
    "Deployment",
    "StatefulSet",
    "HorizontalPodAutoscaler",
    "Job",
    "CronJob",
    "Ingress",
    "APIService",
  ].map((kind, rank) => [kind, rank]),
);

/** The stage of a kind. */
export function stageOf(kind: { readonly group: string; readonly kind: string }): StageName {
  const name = `${kind.group}/${kind.kind}`;
  if (definitions.has(name)) return "definitions";
  if (grounds.has(name) || kind.kind.endsWith("Class")) return "grounds";
  return webhooks.has(name) ? "webhooks" : "objects";
}

interface Ordered {
  readonly group: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

/** Apply order: stage, rank of the kind, group, kind, namespace, name. Deletes run in the reverse. */
export function compareOrder(a: Ordered, b: Ordered): number {
  return (
    stageNames.indexOf(stageOf(a)) - stageNames.indexOf(stageOf(b)) ||
    rankOf(a) - rankOf(b) ||
    compareText(a.group, b.group) ||
    compareText(a.kind, b.kind) ||
    compareText(a.namespace, b.namespace) ||
    compareText(a.name, b.name)
  );
}

/** The non-empty stages of a bundle in their order, each sorted. */
export function stagesOf(objects: readonly PreparedObject[]): readonly (readonly PreparedObject[])[] {
  const sorted = [...objects].sort((a, b) => compareOrder(a.address, b.address));
  return stageNames
    .map((stage) => sorted.filter((object) => stageOf(object.address) === stage))
    .filter((stage) => stage.length > 0);
}

function rankOf(kind: Ordered): number {
  return ranks.get(kind.kind) ?? 1000;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
