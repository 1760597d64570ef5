import { conditionOf, conditionsOf, conditionText, mapAt, mapsAt, textAt, verdict } from "./fields.ts";
import type { Health, Manifest } from "./model.ts";

/** PersistentVolumeClaim by its phase. */
export function claimHealth(object: Manifest): Health {
  const phase = textAt(mapAt(object, "status"), "phase");
  if (phase === "Bound") return verdict("Healthy");
  if (phase === "Pending" || phase === "") return verdict("Progressing", "not bound to a volume yet");
  if (phase === "Lost") return verdict("Degraded", "its volume is lost");
  return verdict("Unknown", `unknown phase ${phase}`);
}

/** Service: only a load balancer has something to wait for. */
export function serviceHealth(object: Manifest): Health {
  if (textAt(mapAt(object, "spec"), "type") !== "LoadBalancer") return verdict("Healthy");
  return balancerHealth(object);
}

/** Ingress, or a Service of type LoadBalancer: healthy with an address. */
export function balancerHealth(object: Manifest): Health {
  const addresses = mapsAt(mapAt(object, "status", "loadBalancer"), "ingress");
  return addresses.length > 0 ? verdict("Healthy") : verdict("Progressing", "waiting for a load balancer's address");
}

/** APIService by its condition Available. */
export function apiServiceHealth(object: Manifest): Health {
  const available = conditionOf(object, "Available");
  if (available?.status === "True") return verdict("Healthy");
  return verdict("Progressing", available === undefined ? "not looked at yet" : conditionText(available));
}

const scaleFailures = new Set(["FailedGetScale", "FailedUpdateScale"]);
const metricFailures = new Set([
  "FailedGetResourceMetric",
  "FailedGetObjectMetric",
  "FailedGetPodsMetric",
  "FailedGetExternalMetric",
  "FailedComputeMetricsReplicas",
  "InvalidSelector",
]);

/** HorizontalPodAutoscaler: the first failing condition, then whether it can scale at all. */
export function autoscalerHealth(object: Manifest): Health {
  const conditions = conditionsOf(object);
  for (const condition of conditions) {
    const failing =
      (condition.type === "AbleToScale" && scaleFailures.has(condition.reason)) ||
      (condition.type === "ScalingActive" && metricFailures.has(condition.reason));
    if (failing) return verdict("Degraded", conditionText(condition));
  }
  const able = conditions.find(
    (condition) =>
      (condition.type === "AbleToScale" || condition.type === "ScalingLimited") && condition.status === "True",
  );
  return able === undefined ? verdict("Progressing", "waiting to scale") : verdict("Healthy", able.message);
}

/** CustomResourceDefinition: accepted, structural, established. */
export function definitionHealth(object: Manifest): Health {
  const conditions = conditionsOf(object);
  if (conditions.length === 0) return verdict("Progressing", "not looked at yet");
  const find = (type: string) => conditions.find((condition) => condition.type === type);
  const terminating = find("Terminating");
  if (terminating?.status === "True") return verdict("Progressing", "being deleted");
  const names = find("NamesAccepted");
  if (names?.status === "False") return verdict("Degraded", conditionText(names));
  const structural = find("NonStructuralSchema");
  if (structural?.status === "True") return verdict("Degraded", conditionText(structural));
  const established = find("Established");
  if (established?.status === "True") return verdict("Healthy");
  if (established === undefined || established.reason === "Installing")
    return verdict("Progressing", "being installed");
  return verdict("Degraded", conditionText(established));
}

/** Namespace by its phase. */
export function namespaceHealth(object: Manifest): Health {
  return textAt(mapAt(object, "status"), "phase") === "Terminating"
    ? verdict("Progressing", "being deleted")
    : verdict("Healthy");
}
