import { conditionOf, isBehind, mapAt, mapsAt, numberAt, textAt } from "@capstan/proto/verdict";
import type { KubeObject, ObjectAddress } from "../../inventory/object.ts";
import { addressOf, kindOf } from "../../inventory/object.ts";

/** A workload whose pods may be asked what is wrong; all that is kept of it. */
export interface Workload {
  readonly address: ObjectAddress;
  readonly uid: string;
  /** A label selector as the API takes it; it may also match pods of others. */
  readonly selector: string;
  /** Pods it is to have; undefined where it does not say. */
  readonly wanted: number | undefined;
  /** Why it cannot make pods, where its own status says so. */
  readonly refused: string;
}

const kinds: ReadonlySet<string> = new Set([
  "apps/Deployment",
  "apps/StatefulSet",
  "apps/DaemonSet",
  "apps/ReplicaSet",
  "batch/Job",
  "argoproj.io/Rollout",
]);

/**
 * The workload as its pods are found by; undefined for other kinds, and while its controller has not seen its newest spec:
 * its pods are not yet those that it wants.
 */
export function workloadOf(object: KubeObject): Workload | undefined {
  const { group, kind } = kindOf(object);
  if (!kinds.has(`${group}/${kind}`) || isBehind(object)) return undefined;
  const status = mapAt(object, "status");
  if (Object.keys(status).length === 0) return undefined;
  const selector = selectorText(mapAt(object, "spec", "selector"));
  if (selector === "") return undefined;
  const failure = conditionOf(object, "ReplicaFailure");
  return {
    address: addressOf(object),
    uid: object.metadata.uid ?? "",
    selector,
    wanted: wantedOf(object),
    refused: failure?.status === "True" ? failure.message : "",
  };
}

function wantedOf(object: KubeObject): number | undefined {
  if (object.kind === "DaemonSet") return numberAt(mapAt(object, "status"), "desiredNumberScheduled");
  return object.kind === "Job" ? undefined : numberAt(mapAt(object, "spec"), "replicas", 1);
}

/** `matchLabels` and `matchExpressions` as one query. */
export function selectorText(selector: Readonly<Record<string, unknown>>): string {
  const labels = Object.entries(mapAt(selector, "matchLabels")).map(([key, value]) => `${key}=${String(value)}`);
  const rules = mapsAt(selector, "matchExpressions").flatMap((rule) => {
    const key = textAt(rule, "key");
    const values = Array.isArray(rule["values"]) ? rule["values"].join(",") : "";
    switch (textAt(rule, "operator")) {
      case "In":
        return [`${key} in (${values})`];
      case "NotIn":
        return [`${key} notin (${values})`];
      case "Exists":
        return [key];
      case "DoesNotExist":
        return [`!${key}`];
      default:
        return [];
    }
  });
  return [...labels, ...rules].join(",");
}

/** Whether the pod is the workload's: by its controller, or by the ReplicaSet between a Deployment and its pods. */
export function isOwned(pod: KubeObject, workload: Workload): boolean {
  const owners = mapsAt(pod.metadata, "ownerReferences");
  const owner = owners.find((each) => each["controller"] === true) ?? {};
  if (textAt(owner, "uid") === workload.uid) return true;
  return textAt(owner, "kind") === "ReplicaSet" && textAt(owner, "name").startsWith(`${workload.address.name}-`);
}
