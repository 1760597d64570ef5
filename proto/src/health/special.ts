import {
  conditionOf,
  conditionsOf,
  conditionText,
  type Fields,
  isMap,
  mapAt,
  mapsAt,
  numberAt,
  textAt,
  valuesAt,
  verdict,
} from "./fields.ts";
import type { Health, Manifest } from "./model.ts";
import { isBehind } from "./rule.ts";

// Kinds whose verdict needs arithmetic over their parts: too much for a rule in one line.

const waiting = "waiting for the controller to see the newest spec";

/** Argo Rollouts' Rollout: its phase since 1.0; before that, from its replicas. */
export function rolloutHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  if (object["status"] === undefined || isBehind(object) || isWorkloadBehind(object)) {
    return verdict("Progressing", waiting);
  }
  const message = textAt(status, "message");
  switch (textAt(status, "phase")) {
    case "":
      return oldRolloutHealth(object);
    case "Healthy":
      return verdict("Healthy", message);
    case "Paused":
      return verdict("Suspended", message);
    case "Degraded":
      return verdict("Degraded", message);
    case "Progressing":
      return verdict("Progressing", message);
    default:
      return verdict("Unknown", message);
  }
}

/** The spec may stand in a Deployment that the Rollout refers to. */
function isWorkloadBehind(object: Manifest): boolean {
  if (!isMap(mapAt(object, "spec")["workloadRef"])) return false;
  const wanted = object.metadata.annotations?.["rollout.argoproj.io/workload-generation"];
  const observed = mapAt(object, "status")["workloadObservedGeneration"];
  return wanted !== undefined && (typeof observed === "number" ? String(observed) : observed) !== wanted;
}

function oldRolloutHealth(object: Manifest): Health {
  const failing = conditionsOf(object).find(
    ({ type, reason }) =>
      type === "InvalidSpec" ||
      (type === "Progressing" && (reason === "RolloutAborted" || reason === "ProgressDeadlineExceeded")),
  );
  if (failing !== undefined) return verdict("Degraded", conditionText(failing));
  const status = mapAt(object, "status");
  if (mapsAt(status, "pauseConditions").length > 0 || mapAt(object, "spec")["paused"] === true) {
    return verdict("Suspended", "the Rollout is paused");
  }
  return movingRolloutHealth(object);
}

function movingRolloutHealth(object: Manifest): Health {
  const spec = mapAt(object, "spec");
  const status = mapAt(object, "status");
  const hash = textAt(status, "currentPodHash");
  const wanted = numberAt(spec, "replicas", 1);
  const updated = numberAt(status, "updatedReplicas");
  const available = numberAt(status, "availableReplicas");
  const stable = textAt(status, "stableRS") || textAt(mapAt(status, "canary"), "stableRS");
  if (hash === "") return verdict("Progressing", "not reconciled yet");
  if (updated < wanted) return verdict("Progressing", `${updated} of ${wanted} replicas are updated`);
  if (available < updated) return verdict("Progressing", `${available} of ${updated} updated replicas are available`);
  if (isMap(mapAt(spec, "strategy")["blueGreen"])) {
    const active = textAt(mapAt(status, "blueGreen"), "activeSelector");
    if (active !== hash) return verdict("Progressing", "the active service has not switched yet");
    if (stable !== "" && stable !== hash) return verdict("Progressing", "its analysis is still running");
  } else if (isMap(mapAt(spec, "strategy")["canary"])) {
    const old = numberAt(status, "replicas") - updated;
    if (old > 0) return verdict("Progressing", `${old} old replicas are still to be stopped`);
    if (stable !== hash) return verdict("Progressing", "its steps are not done yet");
  }
  return verdict("Healthy");
}

/** OpenKruise's CloneSet and StatefulSet: a partition that is reached waits for a person. */
export function kruiseSetHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  if (object["status"] === undefined || isUnseen(object)) return verdict("Progressing", waiting);
  const strategy = mapAt(object, "spec", "updateStrategy");
  const rolling = object.kind === "CloneSet" ? strategy : mapAt(strategy, "rollingUpdate");
  if (rolling["paused"] === true || typeof status["updatedAvailableReplicas"] !== "number") {
    return verdict("Suspended", `the ${object.kind} is paused`);
  }
  const total = numberAt(status, "replicas");
  const updated = numberAt(status, "updatedReplicas");
  if (isPartitioned(rolling, object)) {
    const goal = numberAt(status, "expectedUpdatedReplicas", total - partOf(rolling["partition"], total));
    if (updated >= goal) return verdict("Suspended", "the partition is updated; a person must go on");
    return verdict("Progressing", `${updated} of ${goal} pods of the partition are updated`);
  }
  const available = numberAt(status, "updatedAvailableReplicas");
  if (available === total) return verdict("Healthy");
  return verdict("Degraded", `${available} of ${total} pods are updated and available`);
}

/** OpenKruise's DaemonSet. */
export function kruiseDaemonSetHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  if (object["status"] === undefined || isUnseen(object)) return verdict("Progressing", waiting);
  const rolling = mapAt(object, "spec", "updateStrategy", "rollingUpdate");
  if (rolling["paused"] === true || typeof status["updatedNumberScheduled"] !== "number") {
    return verdict("Suspended", "the DaemonSet is paused");
  }
  const wanted = numberAt(status, "desiredNumberScheduled");
  const updated = numberAt(status, "updatedNumberScheduled");
  const available = numberAt(status, "numberAvailable");
  if (isPartitioned(rolling, object)) {
    if (updated > wanted - partOf(rolling["partition"], wanted)) {
      return verdict("Suspended", "the partition is updated; a person must go on");
    }
  } else if (updated === wanted && available === wanted) return verdict("Healthy");
  else if (updated === wanted && numberAt(status, "numberUnavailable") === wanted) {
    return verdict("Degraded", "no pod is available");
  }
  return verdict("Progressing", `${updated} of ${wanted} pods are updated, ${available} are available`);
}

/** OpenKruise's GameServerSet. */
export function gameServerSetHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  if (object["status"] === undefined || isUnseen(object)) return verdict("Progressing", waiting);
  const rolling = mapAt(object, "spec", "updateStrategy", "rollingUpdate");
  if (rolling["paused"] === true) return verdict("Suspended", "the GameServerSet is paused");
  const total = numberAt(status, "replicas");
  const partition = partOf(rolling["partition"], total);
  if (partition !== 0 && numberAt(status, "updatedReplicas") >= total - partition) {
    return verdict("Suspended", "the partition is updated; a person must go on");
  }
  const done = numberAt(status, "updatedReadyReplicas");
  if (done === total) return verdict("Healthy");
  return verdict("Progressing", `${done} of ${total} servers are updated and ready`);
}

/** A partition is at work from the second generation on: the first has nothing older to keep. */
function isPartitioned(rolling: Fields, object: Manifest): boolean {
  const { partition } = rolling;
  const none = partition === undefined || partition === null || partition === 0 || partition === "0%";
  return !none && (object.metadata.generation ?? 0) > 1;
}

/** A number, or a share in percent, rounded up as OpenKruise does. */
function partOf(partition: unknown, total: number): number {
  if (typeof partition === "number") return partition;
  const percent = typeof partition === "string" ? /^(\d{1,3})%$/.exec(partition)?.[1] : undefined;
  return percent === undefined ? 0 : Math.ceil((total * Number(percent)) / 100);
}

function isUnseen(object: Manifest): boolean {
  const { generation } = object.metadata;
  return generation !== undefined && mapAt(object, "status")["observedGeneration"] !== generation;
}

/** OpenTelemetryCollector: `ready/total` in one text. A sidecar has no replicas of its own. */
export function collectorHealth(object: Manifest): Health {
  const mode = textAt(mapAt(object, "spec"), "mode");
  const text = textAt(mapAt(object, "status", "scale"), "statusReplicas");
  if (object["status"] === undefined) return verdict("Progressing", "waiting for its first status");
  if (text === "") {
    return mode === "sidecar" ? verdict("Healthy") : verdict("Progressing", "no replicas reported yet");
  }
  const found = /^(\d{1,9})\/(\d{1,9})$/.exec(text);
  if (found === null) return verdict("Progressing", `unreadable number of replicas: ${text}`);
  const [, ready, total] = found.map(Number);
  if (ready === 0 && !(mode === "daemonset" && total === 0)) return verdict("Degraded", `${text} replicas are ready`);
  return ready === total ? verdict("Healthy") : verdict("Progressing", `${text} replicas are ready`);
}

/** Rook's Cassandra: every rack must have all its members. */
export function cassandraHealth(object: Manifest): Health {
  const racks = mapAt(object, "status")["racks"];
  if (!isMap(racks)) return verdict("Progressing", "no rack yet");
  for (const [name, rack] of Object.entries(racks)) {
    if (isMap(rack) && numberAt(rack, "members") !== numberAt(rack, "readyMembers")) {
      return verdict(
        "Progressing",
        `${numberAt(rack, "readyMembers")} of ${numberAt(rack, "members")} in rack ${name}`,
      );
    }
  }
  return verdict("Healthy");
}

/** Koperator's KafkaCluster: brokers in sync and settled, then the cluster's state. */
export function koperatorHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  const state = textAt(status, "state");
  const brokers = status["brokersState"];
  if (state === "ClusterRollingUpgrading" || !isMap(brokers)) return verdict("Progressing", state || "no broker yet");
  for (const [id, broker] of Object.entries(brokers)) {
    const action = textAt(mapAt(broker, "gracefulActionState"), "cruiseControlState");
    const settled = action === "GracefulUpscaleSucceeded" || action === "GracefulDownscaleSucceeded";
    if (textAt(mapAt(broker), "configurationState") !== "ConfigInSync" || !settled) {
      return verdict("Degraded", `broker ${id} is out of sync: ${action}`);
    }
  }
  const topic = textAt(status, "cruiseControlTopicStatus");
  if (topic === "CruiseControlTopicReady" && state === "ClusterRunning") return verdict("Healthy");
  return verdict("Progressing", state);
}

const sparkFailed = new Set(["FAILED", "SUBMISSION_FAILED", "FAILING"]);

/** SparkApplication: running is healthy once the executors that were asked for are there. */
export function sparkHealth(object: Manifest): Health {
  const application = mapAt(object, "status", "applicationState");
  const state = textAt(application, "state");
  if (state === "COMPLETED") return verdict("Healthy", state);
  if (sparkFailed.has(state)) return verdict("Degraded", textAt(application, "errorMessage") || state);
  if (state === "INVALIDATING") return verdict("Missing", state);
  if (state !== "RUNNING") return verdict("Progressing", state || "not submitted yet");
  const running = valuesAt(object, ["status", "executorState", "*"]).filter((one) => one === "RUNNING").length;
  const [least, most] = executorRange(mapAt(object, "spec"));
  if (running >= least && running <= most) return verdict("Healthy", `${running} executors are running`);
  return verdict("Progressing", `${running} executors are running`);
}

function executorRange(spec: Fields): readonly [least: number, most: number] {
  const wanted = mapAt(spec, "executor")["instances"];
  const dynamic = mapAt(spec, "dynamicAllocation");
  if (dynamic["enabled"] === true) {
    return [numberAt(dynamic, "minExecutors"), numberAt(dynamic, "maxExecutors", Number.POSITIVE_INFINITY)];
  }
  const conf = mapAt(spec, "sparkConf");
  for (const prefix of ["spark.streaming.dynamicAllocation", "spark.dynamicAllocation"]) {
    if (textAt(conf, `${prefix}.enabled`) !== "true") continue;
    const least = Number(conf[`${prefix}.minExecutors`] ?? 0);
    return [least, Number(conf[`${prefix}.maxExecutors`] ?? Number.POSITIVE_INFINITY)];
  }
  return typeof wanted === "number" ? [wanted, wanted] : [1, Number.POSITIVE_INFINITY];
}

const subscriptionFailures = new Set(["CatalogSourcesUnhealthy", "InstallPlanFailed", "ResolutionFailed"]);

/** OLM's Subscription. An upgrade that waits for a person's approval leaves what is installed as healthy as it was. */
export function subscriptionHealth(object: Manifest): Health {
  const status = mapAt(object, "status");
  const conditions = conditionsOf(object);
  const state = textAt(status, "state");
  if (conditions.length === 0) return verdict("Progressing", "waiting for an install plan");
  const failing = conditions.find(
    (one) =>
      (one.type === "InstallPlanMissing" && one.reason !== "ReferencedInstallPlanNotFound") ||
      (subscriptionFailures.has(one.type) && one.status === "True"),
  );
  if (failing !== undefined) return verdict("Degraded", `${failing.type}: ${conditionText(failing)}`);
  if (state === "UpgradeFailed") return verdict("Degraded", state);
  const pending = conditionOf(object, "InstallPlanPending");
  const asks =
    textAt(mapAt(object, "spec"), "installPlanApproval") === "Manual" &&
    pending?.status === "True" &&
    pending.reason === "RequiresApproval" &&
    status["installedCSV"] !== undefined;
  if (pending?.status === "True" && !asks) return verdict("Progressing", conditionText(pending));
  if (state === "" || state === "UpgradeAvailable") return verdict("Progressing", state || "no state yet");
  if (state !== "UpgradePending") return verdict("Healthy", state);
  return asks ? verdict("Healthy", "an upgrade waits for approval") : verdict("Progressing", state);
}
