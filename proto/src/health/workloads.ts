import { conditionOf, conditionsOf, conditionText, mapAt, numberAt, textAt, verdict } from "./fields.ts";
import type { Health, Manifest } from "./model.ts";
import { isBehind } from "./rule.ts";

// Verdicts and their order as Argo CD's built-in checks give them (gitops-engine pkg/health), so that a team that moves
// over reads the same words. Where a rule differs, its comment says so.

const waiting = "waiting for the controller to see the newest spec";

/** Deployment: paused, behind, deadline exceeded, replicas still moving, healthy. */
export function deploymentHealth(object: Manifest): Health {
  const spec = mapAt(object, "spec");
  const status = mapAt(object, "status");
  if (spec["paused"] === true) return verdict("Suspended", "the Deployment is paused");
  if (isBehindOrUnseen(object)) return verdict("Progressing", waiting);
  const progressing = conditionOf(object, "Progressing");
  if (progressing?.reason === "ProgressDeadlineExceeded") {
    return verdict("Degraded", `${object.metadata.name} exceeded its progress deadline`);
  }
  const wanted = numberAt(spec, "replicas", 1);
  const updated = numberAt(status, "updatedReplicas");
  const total = numberAt(status, "replicas");
  const available = numberAt(status, "availableReplicas");
  if (updated < wanted) return verdict("Progressing", `${updated} of ${wanted} new replicas have been updated`);
  if (total > updated) return verdict("Progressing", `${total - updated} old replicas are still to be stopped`);
  if (available < updated) return verdict("Progressing", `${available} of ${updated} updated replicas are available`);
  return verdict("Healthy");
}

/** StatefulSet: behind, not ready, partitioned or revision-wise update, healthy. */
export function statefulSetHealth(object: Manifest): Health {
  const spec = mapAt(object, "spec");
  const status = mapAt(object, "status");
  if (numberAt(status, "observedGeneration") === 0 || isBehind(object)) return verdict("Progressing", waiting);
  const wanted = numberAt(spec, "replicas", 1);
  const ready = numberAt(status, "readyReplicas");
  if (ready < wanted) return verdict("Progressing", `${ready} of ${wanted} pods are ready`);
  const strategy = mapAt(spec, "updateStrategy");
  if (textAt(strategy, "type") === "OnDelete") return verdict("Healthy");
  if (textAt(strategy, "type") === "RollingUpdate" && strategy["rollingUpdate"] !== undefined) {
    const goal = wanted - numberAt(mapAt(strategy, "rollingUpdate"), "partition");
    const updated = numberAt(status, "updatedReplicas");
    if (updated < goal) return verdict("Progressing", `${updated} of ${goal} pods of the partition are updated`);
    return verdict("Healthy");
  }
  if (textAt(status, "updateRevision") !== textAt(status, "currentRevision")) {
    return verdict("Progressing", `waiting for revision ${textAt(status, "updateRevision")}`);
  }
  return verdict("Healthy");
}

/** DaemonSet: behind, OnDelete, still updating, not available everywhere, healthy. */
export function daemonSetHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  if (isBehindOrUnseen(object)) return verdict("Progressing", waiting);
  if (textAt(mapAt(object, "spec", "updateStrategy"), "type") === "OnDelete") return verdict("Healthy");
  const wanted = numberAt(status, "desiredNumberScheduled");
  const updated = numberAt(status, "updatedNumberScheduled");
  const available = numberAt(status, "numberAvailable");
  if (updated < wanted) return verdict("Progressing", `${updated} of ${wanted} pods are updated`);
  if (available < wanted) return verdict("Progressing", `${available} of ${wanted} pods are available`);
  return verdict("Healthy");
}

/** ReplicaSet: behind, failing to make pods, not available yet, healthy. */
export function replicaSetHealth(object: Manifest): Health {
  if (isBehindOrUnseen(object)) return verdict("Progressing", waiting);
  const failure = conditionOf(object, "ReplicaFailure");
  if (failure?.status === "True") return verdict("Degraded", conditionText(failure));
  const wanted = numberAt(mapAt(object, "spec"), "replicas", 1);
  const available = numberAt(mapAt(object, "status"), "availableReplicas");
  if (available < wanted) return verdict("Progressing", `${available} of ${wanted} replicas are available`);
  return verdict("Healthy");
}

/** Job: failed, suspended, complete, running. */
export function jobHealth(object: Manifest): Health {
  let complete = false;
  let suspended = false;
  for (const condition of conditionsOf(object)) {
    if (condition.type === "Failed") return verdict("Degraded", conditionText(condition));
    if (condition.type === "Suspended") {
      complete = true;
      suspended = condition.status === "True";
    }
    if (condition.type === "Complete") complete = true;
  }
  if (suspended) return verdict("Suspended", "the Job is suspended");
  return complete ? verdict("Healthy") : verdict("Progressing", "the Job is running");
}

/** CronJob: suspended counts as healthy, as in Argo CD; degraded where the last run ended without success. */
export function cronJobHealth(object: Manifest): Health {
  if (mapAt(object, "spec")["suspend"] === true) return verdict("Healthy", "the CronJob is suspended");
  if (object["status"] === undefined) return verdict("Progressing", "not scheduled yet");
  const status = mapAt(object, "status");
  const scheduled = textAt(status, "lastScheduleTime");
  const succeeded = textAt(status, "lastSuccessfulTime");
  const active = Array.isArray(status["active"]) ? status["active"].length : 0;
  if (scheduled === "") return verdict("Healthy", "never scheduled yet");
  if (active > 0) return verdict("Healthy", `${active} jobs are running`);
  if (succeeded === "") return verdict("Healthy", "no run has succeeded yet");
  // RFC 3339 in UTC, so that texts order as times do.
  if (succeeded < scheduled) return verdict("Degraded", "the last run did not succeed");
  return verdict("Healthy");
}

/** A controller that has never written a status has seen nothing, whatever its defaults say. */
function isBehindOrUnseen(object: Manifest): boolean {
  if (isBehind(object)) return true;
  const { generation } = object.metadata;
  return typeof generation === "number" && typeof mapAt(object, "status")["observedGeneration"] !== "number";
}
