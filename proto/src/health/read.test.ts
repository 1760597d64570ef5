import assert from "node:assert/strict";
import { test } from "node:test";
import type { HealthStatus, Manifest } from "./model.ts";
import { isPlainKind, readHealth } from "./read.ts";

type Case = readonly [what: string, spec: object, status: object | undefined, verdict: HealthStatus, message?: RegExp];

function object(apiVersion: string, kind: string, spec: object, status: object | undefined): Manifest {
  const metadata = { name: "x", namespace: "d", generation: 2 };
  return { apiVersion, kind, metadata, spec, ...(status === undefined ? {} : { status }) };
}

function table(apiVersion: string, kind: string, cases: readonly Case[]): void {
  for (const [what, spec, status, verdict, message] of cases) {
    test(`${kind}: ${what} is ${verdict}`, () => {
      const health = readHealth(object(apiVersion, kind, spec, status));
      assert.equal(health.status, verdict, health.message);
      if (message !== undefined) assert.match(health.message, message);
    });
  }
}

function condition(type: string, status: string, reason = "", message = "") {
  return { conditions: [{ type, status, reason, message }] };
}

const seen = { observedGeneration: 2 };

table("apps/v1", "Deployment", [
  ["paused", { paused: true }, undefined, "Suspended"],
  ["no status yet", {}, undefined, "Progressing"],
  [
    "behind its spec",
    { replicas: 1 },
    { observedGeneration: 1, updatedReplicas: 1, replicas: 1, availableReplicas: 1 },
    "Progressing",
  ],
  [
    "past its deadline",
    { replicas: 2 },
    { ...seen, ...condition("Progressing", "False", "ProgressDeadlineExceeded") },
    "Degraded",
    /deadline/,
  ],
  [
    "still updating",
    { replicas: 3 },
    { ...seen, updatedReplicas: 1, replicas: 3 },
    "Progressing",
    /1 of 3 new replicas/,
  ],
  ["with old replicas", { replicas: 2 }, { ...seen, updatedReplicas: 2, replicas: 3 }, "Progressing", /1 old/],
  [
    "not available",
    { replicas: 2 },
    { ...seen, updatedReplicas: 2, replicas: 2, availableReplicas: 1 },
    "Progressing",
    /1 of 2/,
  ],
  ["done", { replicas: 2 }, { ...seen, updatedReplicas: 2, replicas: 2, availableReplicas: 2 }, "Healthy"],
  ["scaled to nothing", { replicas: 0 }, seen, "Healthy"],
]);

table("apps/v1", "StatefulSet", [
  ["no status yet", {}, undefined, "Progressing"],
  ["not ready", { replicas: 3 }, { ...seen, readyReplicas: 1 }, "Progressing", /1 of 3/],
  [
    "on delete",
    { replicas: 1, updateStrategy: { type: "OnDelete" } },
    { ...seen, readyReplicas: 1, updateRevision: "b", currentRevision: "a" },
    "Healthy",
  ],
  [
    "a partition behind",
    { replicas: 3, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
    { ...seen, readyReplicas: 3, updatedReplicas: 1 },
    "Progressing",
    /1 of 2/,
  ],
  [
    "a partition done",
    { replicas: 3, updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 1 } } },
    { ...seen, readyReplicas: 3, updatedReplicas: 2 },
    "Healthy",
  ],
  [
    "at an old revision",
    { replicas: 1, updateStrategy: { type: "RollingUpdate" } },
    { ...seen, readyReplicas: 1, updateRevision: "b", currentRevision: "a" },
    "Progressing",
    /revision b/,
  ],
  [
    "done",
    { replicas: 1, updateStrategy: { type: "RollingUpdate" } },
    { ...seen, readyReplicas: 1, updateRevision: "a", currentRevision: "a" },
    "Healthy",
  ],
]);

table("apps/v1", "DaemonSet", [
  ["no status yet", {}, undefined, "Progressing"],
  [
    "still updating",
    {},
    { ...seen, desiredNumberScheduled: 3, updatedNumberScheduled: 1 },
    "Progressing",
    /1 of 3 pods are updated/,
  ],
  [
    "not available",
    {},
    { ...seen, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 2 },
    "Progressing",
    /2 of 3/,
  ],
  ["done", {}, { ...seen, desiredNumberScheduled: 3, updatedNumberScheduled: 3, numberAvailable: 3 }, "Healthy"],
  ["without nodes", {}, { ...seen, desiredNumberScheduled: 0 }, "Healthy"],
]);

table("apps/v1", "ReplicaSet", [
  [
    "failing",
    { replicas: 1 },
    { ...seen, ...condition("ReplicaFailure", "True", "FailedCreate", "exceeded quota") },
    "Degraded",
    /quota/,
  ],
  ["not available", { replicas: 2 }, { ...seen, availableReplicas: 1 }, "Progressing"],
  ["done", { replicas: 2 }, { ...seen, availableReplicas: 2 }, "Healthy"],
]);

const waiting = (reason: string, message = "") => ({
  containerStatuses: [{ name: "app", state: { waiting: { reason, message } } }],
});

table("v1", "Pod", [
  [
    "pulling in vain",
    { restartPolicy: "Always" },
    { phase: "Pending", ...waiting("ImagePullBackOff", "no such image") },
    "Degraded",
    /^app: ImagePullBackOff: no such image/,
  ],
  [
    "crashing again and again",
    { restartPolicy: "Always" },
    { phase: "Running", ...waiting("CrashLoopBackOff") },
    "Degraded",
    /CrashLoopBackOff/,
  ],
  [
    "lacking a config",
    { restartPolicy: "Always" },
    { phase: "Pending", ...waiting("CreateContainerConfigError") },
    "Degraded",
  ],
  [
    "not scheduled",
    { restartPolicy: "Always" },
    { phase: "Pending", ...condition("PodScheduled", "False", "Unschedulable", "0/3 nodes") },
    "Progressing",
    /not scheduled: 0\/3 nodes/,
  ],
  ["running and ready", { restartPolicy: "Always" }, { phase: "Running", ...condition("Ready", "True") }, "Healthy"],
  [
    "running after a crash",
    { restartPolicy: "Always" },
    {
      phase: "Running",
      containerStatuses: [{ name: "app", lastState: { terminated: { exitCode: 1, reason: "Error" } } }],
    },
    "Degraded",
    /exit code 1 \(Error\)/,
  ],
  ["running a task", { restartPolicy: "Never" }, { phase: "Running" }, "Progressing"],
  ["succeeded", { restartPolicy: "Never" }, { phase: "Succeeded" }, "Healthy"],
  [
    "out of memory",
    { restartPolicy: "Never" },
    {
      phase: "Failed",
      containerStatuses: [{ name: "app", state: { terminated: { exitCode: 137, reason: "OOMKilled" } } }],
    },
    "Degraded",
    /OOMKilled/,
  ],
  [
    "failed",
    { restartPolicy: "Never" },
    { phase: "Failed", containerStatuses: [{ name: "app", state: { terminated: { exitCode: 3 } } }] },
    "Degraded",
    /exit code 3/,
  ],
  ["of no phase", {}, {}, "Unknown"],
]);

table("batch/v1", "Job", [
  ["running", {}, { active: 1 }, "Progressing"],
  ["failed", {}, condition("Failed", "True", "BackoffLimitExceeded"), "Degraded", /BackoffLimitExceeded/],
  ["complete", {}, condition("Complete", "True"), "Healthy"],
  ["suspended", { suspend: true }, condition("Suspended", "True"), "Suspended"],
]);

table("batch/v1", "CronJob", [
  ["suspended", { suspend: true }, {}, "Healthy"],
  ["new", {}, undefined, "Progressing"],
  ["never scheduled", {}, {}, "Healthy"],
  [
    "running",
    {},
    { lastScheduleTime: "2026-01-02T00:00:00Z", lastSuccessfulTime: "2026-01-01T00:00:01Z", active: [{}] },
    "Healthy",
  ],
  [
    "failed last time",
    {},
    { lastScheduleTime: "2026-01-02T00:00:00Z", lastSuccessfulTime: "2026-01-01T00:00:01Z" },
    "Degraded",
  ],
  ["well", {}, { lastScheduleTime: "2026-01-02T00:00:00Z", lastSuccessfulTime: "2026-01-02T00:00:05Z" }, "Healthy"],
]);

table("v1", "PersistentVolumeClaim", [
  ["bound", {}, { phase: "Bound" }, "Healthy"],
  ["pending", {}, { phase: "Pending" }, "Progressing"],
  ["lost", {}, { phase: "Lost" }, "Degraded"],
  ["odd", {}, { phase: "Odd" }, "Unknown"],
]);

table("v1", "Service", [
  ["of a cluster address", { type: "ClusterIP" }, { loadBalancer: {} }, "Healthy"],
  ["waiting for an address", { type: "LoadBalancer" }, { loadBalancer: {} }, "Progressing"],
  ["with an address", { type: "LoadBalancer" }, { loadBalancer: { ingress: [{ ip: "10.0.0.1" }] } }, "Healthy"],
]);

table("networking.k8s.io/v1", "Ingress", [
  ["waiting for an address", {}, { loadBalancer: {} }, "Progressing"],
  ["with an address", {}, { loadBalancer: { ingress: [{ hostname: "x" }] } }, "Healthy"],
]);

table("autoscaling/v2", "HorizontalPodAutoscaler", [
  ["new", {}, undefined, "Progressing"],
  [
    "without metrics",
    {},
    condition("ScalingActive", "False", "FailedGetResourceMetric", "no metrics"),
    "Degraded",
    /no metrics/,
  ],
  ["able to scale", {}, condition("AbleToScale", "True", "ReadyForNewScale"), "Healthy"],
]);

table("apiregistration.k8s.io/v1", "APIService", [
  ["available", {}, condition("Available", "True"), "Healthy"],
  ["not available", {}, condition("Available", "False", "MissingEndpoints"), "Progressing", /MissingEndpoints/],
]);

table("apiextensions.k8s.io/v1", "CustomResourceDefinition", [
  ["new", {}, undefined, "Progressing"],
  ["established", {}, condition("Established", "True"), "Healthy"],
  ["installing", {}, condition("Established", "False", "Installing"), "Progressing"],
  ["in conflict", {}, condition("NamesAccepted", "False", "ListKindConflict"), "Degraded"],
]);

table("policy/v1", "PodDisruptionBudget", [
  ["behind", {}, { observedGeneration: 1 }, "Progressing"],
  ["short of pods", {}, { ...seen, ...condition("DisruptionAllowed", "False", "InsufficientPods") }, "Healthy"],
  ["not seen yet", {}, undefined, "Progressing"],
  ["failing", {}, { ...seen, ...condition("DisruptionAllowed", "False", "SyncFailed") }, "Degraded"],
  ["well", {}, { ...seen, currentHealthy: 2, desiredHealthy: 2 }, "Healthy"],
]);

table("example.com/v1", "Thing", [
  ["without a status", {}, undefined, "Healthy"],
  ["behind", {}, { observedGeneration: 1, ...condition("Ready", "True") }, "Progressing"],
  ["ready", {}, { ...seen, ...condition("Ready", "True") }, "Healthy"],
  [
    "not ready",
    {},
    { ...seen, ...condition("Ready", "False", "Waiting", "for a friend") },
    "Progressing",
    /Waiting: for a friend/,
  ],
  ["stalled", {}, { ...seen, ...condition("Stalled", "True", "Broken") }, "Degraded"],
  [
    "reconciling",
    {},
    {
      conditions: [
        { type: "Reconciling", status: "True" },
        { type: "Ready", status: "True" },
      ],
    },
    "Progressing",
  ],
  [
    "ready for an older spec",
    {},
    { conditions: [{ type: "Ready", status: "True", observedGeneration: 1 }] },
    "Progressing",
  ],
]);

table("v1", "ConfigMap", [["there", {}, undefined, "Healthy"]]);

test("an object that is being deleted is on its way, whatever it says", () => {
  const base = object("v1", "Service", { type: "ClusterIP" }, {});
  const dying = { ...base, metadata: { ...base.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } };
  assert.equal(readHealth(dying).status, "Progressing");
});

test("bodies are watched only where health needs them", () => {
  assert.equal(isPlainKind({ group: "", kind: "ConfigMap" }), true);
  assert.equal(isPlainKind({ group: "", kind: "Secret" }), true);
  assert.equal(isPlainKind({ group: "apps", kind: "Deployment" }), false);
  assert.equal(isPlainKind({ group: "example.com", kind: "Thing" }), false);
});
