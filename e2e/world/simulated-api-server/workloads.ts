import { createHash } from "node:crypto";
import type { KubeObject } from "../kube-client.ts";
import { textOf } from "./fields.ts";

/** What the controllers of a real cluster would have made of an object by now. */
export interface Progress {
  readonly status: Readonly<Record<string, unknown>>;
  /** ReplicaSets and Pods that stand for it. */
  readonly children: readonly KubeObject[];
  /** Milliseconds until something would change by itself; undefined when nothing will. */
  readonly next: number | undefined;
}

/** How fast things go. */
export interface Pace {
  /** Milliseconds from a change of the spec until a sound workload is ready. */
  readonly readyAfter: number;
}

/** What a moment is: how long ago the spec changed, and the wall clock for timestamps. */
export interface Moment {
  readonly age: number;
  /** RFC 3339. */
  readonly time: string;
}

type Fields = Readonly<Record<string, unknown>>;

const field = (value: unknown, ...path: string[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Fields | undefined)?.[key], value);

/**
 * Progress of a workload, Service, claim, Ingress, Job or bare Pod; undefined for all else. A workload with an image
 * whose name contains `broken` never becomes ready: its Pods are in CrashLoopBackOff with exit code 1.
 */
export function progressOf(object: KubeObject, moment: Moment, pace: Pace): Progress | undefined {
  const make = makers[object.kind];
  if (make === undefined) return undefined;
  const ready = moment.age >= pace.readyAfter;
  return make(object, { ...moment, ready, next: ready ? undefined : Math.max(1, pace.readyAfter - moment.age) });
}

/** Progress of a Pod that a real controller made: what a kubelet would report. */
export function podProgress(pod: KubeObject, moment: Moment, pace: Pace): Progress {
  const ready = moment.age >= pace.readyAfter;
  const next = ready ? undefined : Math.max(1, pace.readyAfter - moment.age);
  return { status: podStatus(field(pod, "spec"), { ...moment, ready, next }), children: [], next };
}

interface Stage extends Moment {
  readonly ready: boolean;
  readonly next: number | undefined;
}

type Maker = (object: KubeObject, stage: Stage) => Progress;

const makers: Readonly<Record<string, Maker>> = {
  Deployment: deployment,
  StatefulSet: statefulSet,
  DaemonSet: daemonSet,
  Job: job,
  Pod: barePod,
  Service: service,
  Ingress: ingress,
  PersistentVolumeClaim: claim,
};

function isBroken(podSpec: unknown): boolean {
  const containers = (field(podSpec, "containers") ?? []) as readonly Fields[];
  return containers.some((container) => textOf(container["image"]).includes("broken"));
}

function deployment(object: KubeObject, stage: Stage): Progress {
  const { replicas, ready, pods } = workload(object, stage, `${object.metadata.name}-${templateHash(object)}`);
  const deadline = Number(field(object, "spec", "progressDeadlineSeconds") ?? 600) * 1_000;
  const late = ready < replicas && stage.age >= deadline;
  const progressing = late
    ? "ProgressDeadlineExceeded"
    : ready < replicas
      ? "ReplicaSetUpdated"
      : "NewReplicaSetAvailable";
  const conditions = [
    condition(
      "Available",
      ready >= replicas,
      ready >= replicas ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    ),
    condition("Progressing", !late, progressing),
  ].map((one) => ({ ...one, lastTransitionTime: stage.time, lastUpdateTime: stage.time }));
  const status = {
    observedGeneration: object.metadata.generation,
    replicas,
    updatedReplicas: replicas,
    readyReplicas: ready,
    availableReplicas: ready,
    unavailableReplicas: replicas - ready,
    conditions,
  };
  const set = replicaSet(object, { replicas, ready });
  const children = replicas === 0 ? [] : [set, ...pods.map((pod) => ownedBy(pod, set))];
  const next = stage.next ?? (ready < replicas && !late ? deadline - stage.age : undefined);
  return { status: withoutZeros(status), children, next };
}

function statefulSet(object: KubeObject, stage: Stage): Progress {
  const { replicas, ready, pods } = workload(object, stage, object.metadata.name);
  const revision = `${object.metadata.name}-${templateHash(object)}`;
  const status = {
    observedGeneration: object.metadata.generation,
    replicas,
    readyReplicas: ready,
    currentReplicas: replicas,
    updatedReplicas: replicas,
    availableReplicas: ready,
    currentRevision: revision,
    updateRevision: revision,
  };
  return { status, children: pods.map((pod) => ownedBy(pod, object)), next: stage.next };
}

const nodesForDaemons = 3;

function daemonSet(object: KubeObject, stage: Stage): Progress {
  const { replicas, ready, pods } = workload(object, stage, object.metadata.name, nodesForDaemons);
  const status = {
    observedGeneration: object.metadata.generation,
    currentNumberScheduled: replicas,
    desiredNumberScheduled: replicas,
    updatedNumberScheduled: replicas,
    numberReady: ready,
    numberAvailable: ready,
    numberUnavailable: replicas - ready,
    numberMisscheduled: 0,
  };
  return { status, children: pods.map((pod) => ownedBy(pod, object)), next: stage.next };
}

function job(object: KubeObject, stage: Stage): Progress {
  const broken = isBroken(field(object, "spec", "template", "spec"));
  if (!stage.ready) return { status: { active: 1, startTime: stage.time }, children: [], next: stage.next };
  const end = broken ? "Failed" : "Complete";
  const conditions = [
    { ...condition(end, true, broken ? "BackoffLimitExceeded" : "CompletionsReached"), lastTransitionTime: stage.time },
  ];
  const counts = broken ? { failed: 1 } : { succeeded: 1, completionTime: stage.time };
  return { status: { startTime: stage.time, ...counts, conditions }, children: [], next: undefined };
}

function barePod(object: KubeObject, stage: Stage): Progress {
  const owners = (object.metadata["ownerReferences"] ?? []) as readonly unknown[];
  if (owners.length > 0) return { status: object["status"] as Fields, children: [], next: undefined };
  return { status: podStatus(field(object, "spec"), stage), children: [], next: stage.next };
}

function service(object: KubeObject, stage: Stage): Progress {
  const balanced = field(object, "spec", "type") === "LoadBalancer";
  const status = balanced && stage.ready ? { loadBalancer: { ingress: [{ ip: "192.0.2.10" }] } } : { loadBalancer: {} };
  return { status, children: [], next: balanced ? stage.next : undefined };
}

function ingress(_object: KubeObject, stage: Stage): Progress {
  const status = stage.ready ? { loadBalancer: { ingress: [{ ip: "192.0.2.20" }] } } : { loadBalancer: {} };
  return { status, children: [], next: stage.next };
}

function claim(object: KubeObject, stage: Stage): Progress {
  const capacity = field(object, "spec", "resources", "requests");
  const status = stage.ready ? { phase: "Bound", capacity } : { phase: "Pending" };
  return { status, children: [], next: stage.next };
}

function workload(object: KubeObject, stage: Stage, prefix: string, count?: number) {
  const replicas = count ?? Number(field(object, "spec", "replicas") ?? 1);
  const spec = field(object, "spec", "template", "spec");
  const ready = stage.ready && !isBroken(spec) ? replicas : 0;
  const pods = Array.from({ length: Math.min(replicas, 10) }, (_, index) => {
    const name =
      object.kind === "StatefulSet" ? `${prefix}-${index}` : `${prefix}-${shortHash(`${prefix}${index}`, 5)}`;
    const metadata = {
      name,
      namespace: object.metadata.namespace ?? "",
      labels: field(object, "spec", "template", "metadata", "labels") as Record<string, string>,
    };
    return { apiVersion: "v1", kind: "Pod", metadata, spec, status: podStatus(spec, stage) };
  });
  return { replicas, ready, pods };
}

function podStatus(spec: unknown, stage: Stage): Fields {
  const broken = isBroken(spec);
  const up = stage.ready && !broken;
  const containers = (field(spec, "containers") ?? []) as readonly Fields[];
  const state = !stage.ready
    ? { waiting: { reason: "ContainerCreating" } }
    : broken
      ? { waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" } }
      : { running: { startedAt: stage.time } };
  const containerStatuses = containers.map((container) => ({
    name: container["name"],
    image: container["image"],
    ready: up,
    started: up,
    restartCount: stage.ready && broken ? 3 : 0,
    state,
    lastState: stage.ready && broken ? { terminated: { exitCode: 1, reason: "Error" } } : {},
  }));
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type, index) => ({
    ...condition(type, index < 2 || up, index < 2 || up ? "" : "ContainersNotReady"),
    lastTransitionTime: stage.time,
  }));
  return { phase: stage.ready ? "Running" : "Pending", startTime: stage.time, conditions, containerStatuses };
}

function replicaSet(object: KubeObject, count: { readonly replicas: number; readonly ready: number }): KubeObject {
  const hash = templateHash(object);
  const selector = field(object, "spec", "selector", "matchLabels") as Record<string, string>;
  const template = field(object, "spec", "template") as Fields;
  const labels = { ...(field(template, "metadata", "labels") as Fields), "pod-template-hash": hash };
  const set: KubeObject = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${object.metadata.name}-${hash}`,
      namespace: object.metadata.namespace ?? "",
      labels: { ...selector, "pod-template-hash": hash },
    },
    spec: {
      replicas: count.replicas,
      selector: { matchLabels: { ...selector, "pod-template-hash": hash } },
      template: { ...template, metadata: { ...(template["metadata"] as Fields), labels } },
    },
    status: { replicas: count.replicas, readyReplicas: count.ready, availableReplicas: count.ready },
  };
  return ownedBy(set, object);
}

/** `object` with `owner` as its controller. The owner's uid may be filled in when it is stored. */
function ownedBy(object: KubeObject, owner: KubeObject): KubeObject {
  const reference = {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
  return { ...object, metadata: { ...object.metadata, ownerReferences: [reference] } };
}

function condition(type: string, holds: boolean, reason: string) {
  return { type, status: holds ? "True" : "False", ...(reason === "" ? {} : { reason }) };
}

function templateHash(object: KubeObject): string {
  return shortHash(JSON.stringify(field(object, "spec", "template") ?? null), 10);
}

function shortHash(text: string, length: number): string {
  return createHash("sha256").update(text).digest("hex").slice(0, length);
}

function withoutZeros(status: Fields): Fields {
  return Object.fromEntries(Object.entries(status).filter(([, value]) => value !== 0));
}
