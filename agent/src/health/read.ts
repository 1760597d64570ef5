import { type KubeObject, kindOf } from "../inventory/object.ts";
import { conditionOf, conditionsOf, conditionText, isBehind, verdict } from "./conditions.ts";
import type { Health } from "./model.ts";
import { podHealth } from "./pod.ts";
import {
  apiServiceHealth,
  autoscalerHealth,
  balancerHealth,
  budgetHealth,
  claimHealth,
  definitionHealth,
  namespaceHealth,
  serviceHealth,
} from "./services.ts";
import {
  cronJobHealth,
  daemonSetHealth,
  deploymentHealth,
  jobHealth,
  replicaSetHealth,
  statefulSetHealth,
} from "./workloads.ts";

type Reader = (object: KubeObject) => Health;

/** By `group/Kind`; the version does not matter. */
const readers: Readonly<Record<string, Reader>> = {
  "apps/Deployment": deploymentHealth,
  "apps/StatefulSet": statefulSetHealth,
  "apps/DaemonSet": daemonSetHealth,
  "apps/ReplicaSet": replicaSetHealth,
  "/Pod": podHealth,
  "batch/Job": jobHealth,
  "batch/CronJob": cronJobHealth,
  "/PersistentVolumeClaim": claimHealth,
  "/Service": serviceHealth,
  "/Namespace": namespaceHealth,
  "networking.k8s.io/Ingress": balancerHealth,
  "extensions/Ingress": balancerHealth,
  "apiregistration.k8s.io/APIService": apiServiceHealth,
  "autoscaling/HorizontalPodAutoscaler": autoscalerHealth,
  "apiextensions.k8s.io/CustomResourceDefinition": definitionHealth,
  "policy/PodDisruptionBudget": budgetHealth,
};

/** Groups whose other kinds have no health of their own: they are well when they exist. */
const plainGroups = new Set([
  "",
  "rbac.authorization.k8s.io",
  "admissionregistration.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
  "node.k8s.io",
  "networking.k8s.io",
  "coordination.k8s.io",
  "discovery.k8s.io",
]);

/** Whether the kind's health can be read from its metadata alone, so that its body need not be watched. */
export function isPlainKind(kind: { readonly group: string; readonly kind: string }): boolean {
  return plainGroups.has(kind.group) && readers[`${kind.group}/${kind.kind}`] === undefined;
}

/** The verdict on one live object. */
export function readHealth(object: KubeObject): Health {
  if (object.metadata.deletionTimestamp !== undefined) return verdict("Progressing", "being deleted");
  const kind = kindOf(object);
  const reader = readers[`${kind.group}/${kind.kind}`];
  if (reader !== undefined) return reader(object);
  return isPlainKind(kind) ? verdict("Healthy") : genericHealth(object);
}

/**
 * kstatus for any other kind: behind; `Reconciling`, `Stalled`; then `Ready`. Stricter than kstatus in one way: a `Ready`
 * that was observed for an older generation is no success (fluxcd/flux2#5855). A kind that shows no condition at all is
 * healthy when it exists.
 */
export function genericHealth(object: KubeObject): Health {
  if (isBehind(object)) return verdict("Progressing", "waiting for the controller to see the newest spec");
  for (const condition of conditionsOf(object)) {
    if (condition.status !== "True") continue;
    if (condition.type === "Reconciling") return verdict("Progressing", conditionText(condition));
    if (condition.type === "Stalled") return verdict("Degraded", conditionText(condition));
  }
  const ready = conditionOf(object, "Ready");
  if (ready === undefined) return verdict("Healthy");
  const { generation } = object.metadata;
  if (ready.observedGeneration !== undefined && generation !== undefined && ready.observedGeneration < generation) {
    return verdict("Progressing", "waiting for the controller to see the newest spec");
  }
  if (ready.status === "True") return verdict("Healthy");
  return verdict("Progressing", conditionText(ready));
}
