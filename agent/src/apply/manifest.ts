import { Fault, objectKey, objectText, type TargetKey } from "@capstan/proto";
import { isMap } from "../drift/compare.ts";
import { textHash } from "../drift/hash.ts";
import { addressOf, isSecretKind, type KubeMeta, type KubeObject, kindOf } from "../inventory/object.ts";
import { hookOf } from "./hooks.ts";
import type { PreparedObject } from "./model.ts";
import { stamp } from "./ownership.ts";

/** Whose a manifest is, and where it goes. */
export interface Destination {
  readonly target: TargetKey;
  readonly namespace: string;
}

/**
 * Checks one manifest of a bundle as far as it can be without a server: `apiVersion`, `kind` and `metadata.name` are
 * there; only a hook may have a `generateName` instead, which is then its name's beginning. Throws `bad-manifest`.
 */
export function parseManifest(value: unknown): KubeObject {
  const object = isMap(value) ? value : {};
  const meta = isMap(object["metadata"]) ? object["metadata"] : {};
  const prefix = meta["generateName"];
  if (typeof prefix === "string" && prefix !== "" && meta["name"] === undefined && typeof object["kind"] === "string") {
    const named = { ...object, metadata: { ...meta, name: prefix } } as unknown as KubeObject;
    if (hookOf(named) !== undefined) return parseManifest(named);
  }
  for (const [field, found] of [
    ["apiVersion", object["apiVersion"]],
    ["kind", object["kind"]],
    ["metadata.name", meta["name"]],
  ] as const) {
    if (typeof found === "string" && found !== "") continue;
    const what = typeof object["kind"] === "string" ? object["kind"] : "a manifest";
    const generated = field === "metadata.name" && meta["generateName"] !== undefined;
    throw new Fault("bad-manifest", {
      message: `${what} has no ${field}${generated ? " but a generateName, which makes another object each time" : ""}.`,
      where: { field },
      next: generated ? "Give it a name, or make it a hook." : `Add ${field}.`,
    });
  }
  return object as unknown as KubeObject;
}

/** The items of a `List`, else the object itself. */
export function expandList(value: unknown): readonly unknown[] {
  if (!isMap(value) || !isMap(value["metadata"] ?? {})) return [value];
  const kind = value["kind"];
  const items = value["items"];
  const isList = typeof kind === "string" && kind.endsWith("List") && Array.isArray(items);
  return isList ? (items as readonly unknown[]) : [value];
}

/**
 * A manifest made ready to be applied: what servers write is taken off, Secret texts are encoded, port protocols are
 * named, it stands in its namespace and carries our marks.
 */
export function prepare(raw: KubeObject, destination: Destination, namespaced: boolean): PreparedObject {
  const object = stamp(normalise(place(strip(raw), destination.namespace, namespaced)), destination.target);
  const address = addressOf(object);
  return { key: objectKey(address), address, object, hash: textHash(JSON.stringify(object)) };
}

/** Fails a bundle's object that another object of the same bundle doubles. */
export function duplicateFault(object: PreparedObject): Fault {
  return new Fault("bad-manifest", {
    message: `${objectText(object.address)} stands twice in the bundle.`,
    where: { object: objectText(object.address) },
    next: "Remove one of the two manifests.",
  });
}

const serverFields = ["managedFields", "resourceVersion", "uid", "creationTimestamp", "generation", "selfLink"];

function strip(raw: KubeObject): KubeObject {
  const { status: _status, ...object } = raw;
  const metadata: Record<string, unknown> = { ...raw.metadata };
  for (const field of [...serverFields, "deletionTimestamp", "deletionGracePeriodSeconds"]) delete metadata[field];
  const annotations = raw.metadata.annotations;
  if (annotations?.["kubectl.kubernetes.io/last-applied-configuration"] !== undefined) {
    const { "kubectl.kubernetes.io/last-applied-configuration": _copy, ...others } = annotations;
    metadata["annotations"] = others;
  }
  return { ...object, apiVersion: raw.apiVersion, kind: raw.kind, metadata: metadata as KubeMeta };
}

function place(object: KubeObject, namespace: string, namespaced: boolean): KubeObject {
  const { namespace: own, ...metadata } = object.metadata;
  if (!namespaced) return { ...object, metadata };
  return { ...object, metadata: { ...metadata, namespace: own === undefined || own === "" ? namespace : own } };
}

/** What server-side apply does not settle by itself: `stringData`, and merge keys with a default (kubernetes#98576). */
function normalise(object: KubeObject): KubeObject {
  if (isSecretKind(kindOf(object))) return foldStringData(object);
  if (object.apiVersion === "v1" && object.kind === "Service") {
    return { ...object, spec: withProtocols(object["spec"]) };
  }
  return podSpecOf(object) === undefined ? object : mapPodSpec(object);
}

function foldStringData(object: KubeObject): KubeObject {
  const texts = object["stringData"];
  if (!isMap(texts)) return object;
  const { stringData: _folded, ...rest } = object;
  const data: Record<string, unknown> = isMap(object["data"]) ? { ...object["data"] } : {};
  for (const [name, text] of Object.entries(texts)) data[name] = base64(String(text));
  return { ...rest, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata, data };
}

function base64(text: string): string {
  let units = "";
  for (const byte of new TextEncoder().encode(text)) units += String.fromCharCode(byte);
  return btoa(units);
}

/** Where a built-in workload keeps its pod spec. */
const podSpecPaths: Readonly<Record<string, readonly string[]>> = {
  "/Pod": ["spec"],
  "apps/Deployment": ["spec", "template", "spec"],
  "apps/StatefulSet": ["spec", "template", "spec"],
  "apps/DaemonSet": ["spec", "template", "spec"],
  "apps/ReplicaSet": ["spec", "template", "spec"],
  "batch/Job": ["spec", "template", "spec"],
  "batch/CronJob": ["spec", "jobTemplate", "spec", "template", "spec"],
};

function podSpecOf(object: KubeObject): readonly string[] | undefined {
  const { group, kind } = kindOf(object);
  return podSpecPaths[`${group}/${kind}`];
}

function mapPodSpec(object: KubeObject): KubeObject {
  const path = podSpecOf(object) ?? [];
  return edit(object, path, (spec) => {
    if (!isMap(spec)) return spec;
    const changed: Record<string, unknown> = { ...spec };
    for (const field of ["containers", "initContainers"]) {
      const list = spec[field];
      if (Array.isArray(list)) changed[field] = list.map(withProtocols);
    }
    return changed;
  }) as KubeObject;
}

function edit(value: unknown, path: readonly string[], change: (value: unknown) => unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return change(value);
  return isMap(value) && value[step] !== undefined ? { ...value, [step]: edit(value[step], rest, change) } : value;
}

function withProtocols(holder: unknown): unknown {
  if (!isMap(holder) || !Array.isArray(holder["ports"])) return holder;
  const ports = holder["ports"].map((port: unknown) => (isMap(port) ? { protocol: "TCP", ...port } : port));
  return { ...holder, ports };
}
