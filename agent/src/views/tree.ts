import { type ObjectRef, objectKey } from "@capstan/proto";
import { conditionOf, mapAt, mapsAt, numberAt, readHealth, textAt } from "@capstan/proto/verdict";
import type { Health } from "../health/model.ts";
import { podCause } from "../health/pods/cause.ts";
import { addressOf, type KubeObject, kindOf, parseApiVersion } from "../inventory/object.ts";
import type { TreeNode } from "./model.ts";

/** A kind that others own, and whether its state is shown. */
export interface ChildKind {
  readonly group: string;
  readonly kind: string;
  readonly body: boolean;
}

/** What controllers of Kubernetes make for others. */
const standard: readonly ChildKind[] = [
  { group: "apps", kind: "ReplicaSet", body: true },
  { group: "batch", kind: "Job", body: true },
  { group: "", kind: "Pod", body: true },
  { group: "apps", kind: "ControllerRevision", body: false },
  { group: "discovery.k8s.io", kind: "EndpointSlice", body: false },
  { group: "", kind: "Endpoints", body: false },
  { group: "", kind: "PersistentVolumeClaim", body: true },
];
const workloads: ReadonlySet<string> = new Set(["apps", "batch", "", "argoproj.io"]);

/**
 * Kinds to look for below a target's objects: what Kubernetes' own controllers make, and of the groups of the target's
 * other kinds every kind that is served, as operators mostly own what they define.
 */
export function childKinds(
  roots: Iterable<ObjectRef>,
  served: Iterable<{ readonly group: string; readonly kind: string; readonly namespaced: boolean }>,
): readonly ChildKind[] {
  const groups = new Set([...roots].map(({ group }) => group).filter((group) => isOperators(group)));
  const kinds = new Map(standard.map((kind) => [`${kind.group}/${kind.kind}`, kind]));
  for (const { group, kind, namespaced } of served) {
    const key = `${group}/${kind}`;
    if (namespaced && groups.has(group) && !kinds.has(key)) kinds.set(key, { group, kind, body: true });
  }
  return [...kinds.values()].slice(0, 40);
}

function isOperators(group: string): boolean {
  return group === "argoproj.io" || !(workloads.has(group) || group.endsWith(".k8s.io") || !group.includes("."));
}

/**
 * The tree below a target's objects, parents before their children. Owners are found by reference; Endpoints, which have
 * none, by their Service's name. Old ReplicaSets without pods are left out.
 */
export function treeOf(
  roots: Iterable<readonly [ObjectRef, Health]>,
  found: readonly KubeObject[],
  now: number,
): readonly TreeNode[] {
  const children = new Map<string, KubeObject[]>();
  for (const object of found) {
    for (const owner of ownersOf(object)) children.set(owner, [...(children.get(owner) ?? []), object]);
  }
  const nodes = new Map<string, TreeNode>();
  const below = (parent: string): void => {
    const owned = (children.get(parent) ?? []).sort((a, b) =>
      objectKey(addressOf(a)) < objectKey(addressOf(b)) ? -1 : 1,
    );
    for (const object of owned) {
      const key = objectKey(addressOf(object));
      if (nodes.has(key) || isSpent(object, children.get(key) ?? [])) continue;
      nodes.set(key, { ...nodeOf(object, now), parent });
      below(key);
    }
  };
  const own = [...roots];
  for (const [ref, health] of own) {
    nodes.set(objectKey(ref), {
      object: objectKey(ref),
      health: health.status,
      ...(health.message === "" ? {} : { message: health.message }),
    });
  }
  const ordered: TreeNode[] = [];
  for (const [ref] of own) below(objectKey(ref));
  const listed = new Map<string, TreeNode[]>();
  for (const node of nodes.values()) {
    if (node.parent !== undefined) listed.set(node.parent, [...(listed.get(node.parent) ?? []), node]);
  }
  const put = (node: TreeNode): void => {
    ordered.push(node);
    for (const child of listed.get(node.object) ?? []) put(child);
  };
  for (const node of nodes.values()) if (node.parent === undefined) put(node);
  return ordered;
}

function ownersOf(object: KubeObject): readonly string[] {
  const namespace = object.metadata.namespace ?? "";
  if (object.kind === "Endpoints")
    return [objectKey({ group: "", kind: "Service", namespace, name: object.metadata.name })];
  return mapsAt(object.metadata, "ownerReferences").flatMap((owner) => {
    const { group } = parseApiVersion(textAt(owner, "apiVersion"));
    const ref = { group, kind: textAt(owner, "kind"), name: textAt(owner, "name") };
    return [objectKey({ ...ref, namespace }), objectKey({ ...ref, namespace: "" })];
  });
}

function isSpent(object: KubeObject, owned: readonly KubeObject[]): boolean {
  return object.kind === "ReplicaSet" && owned.length === 0 && numberAt(mapAt(object, "spec"), "replicas", 1) === 0;
}

function nodeOf(object: KubeObject, now: number): TreeNode {
  const { creationTimestamp: created } = object.metadata;
  const base = { object: objectKey(addressOf(object)), ...(created === undefined ? {} : { created }) };
  if (object["status"] === undefined && object["spec"] === undefined) return base;
  const health = readHealth(object);
  const pod = kindOf(object).kind === "Pod" && kindOf(object).group === "";
  const message =
    (pod ? podCause({ pod: object, events: [], now })?.one.replace(/ :/, ":") : undefined) ?? health.message;
  const info = pod ? podInfo(object) : readyInfo(object);
  return {
    ...base,
    health: health.status,
    ...(message === "" ? {} : { message }),
    ...(info === "" ? {} : { info }),
  };
}

function podInfo(pod: KubeObject): string {
  const statuses = mapsAt(mapAt(pod, "status"), "containerStatuses");
  const ready = statuses.filter((each) => each["ready"] === true).length;
  const restarts = statuses.reduce((sum, each) => sum + numberAt(each, "restartCount"), 0);
  const total = mapsAt(mapAt(pod, "spec"), "containers").length;
  const node = textAt(mapAt(pod, "spec"), "nodeName");
  const phase = conditionOf(pod, "Ready")?.status === "True" ? "" : textAt(mapAt(pod, "status"), "phase");
  const parts = [
    `${ready}/${total} ready`,
    restarts === 0 ? "" : `${restarts} restarts`,
    phase,
    node === "" ? "" : `on ${node}`,
  ];
  return parts.filter((part) => part !== "").join(", ");
}

function readyInfo(object: KubeObject): string {
  if (object.kind !== "ReplicaSet") return "";
  return `${numberAt(mapAt(object, "status"), "readyReplicas")}/${numberAt(mapAt(object, "spec"), "replicas", 1)} ready`;
}
