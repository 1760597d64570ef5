import { Fault, type ObjectRef, type Where } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { readYaml } from "../yaml/read.ts";
import type { Manifest } from "./model.ts";

/** A manifest before it is known which object it is. */
type Unnamed = Omit<Manifest, "ref">;

/** Reads the manifests of a text: `List`s are taken apart, Kustomize's own documents are left out. */
export function readManifests(text: string, file: string, sourceOf?: (line: number) => string): Manifest[] {
  const found: Manifest[] = [];
  // The size of a file is bounded where it is read, and the output of a tool where it runs.
  for (const { value, line } of readYaml(text, { file, limits: { bytes: Number.MAX_SAFE_INTEGER } })) {
    collect(value, { file: sourceOf?.(line) ?? file, ...(sourceOf === undefined ? { line } : {}) }, found);
  }
  return found;
}

/** Which object a manifest is. Throws `bad-manifest` where kind, version or name is absent. */
function refOf(manifest: Unnamed): ObjectRef {
  const { value } = manifest;
  const apiVersion = requireText(manifest, value["apiVersion"], "apiVersion");
  const kind = requireText(manifest, value["kind"], "kind");
  const metadata = value["metadata"];
  if (!isObject(metadata)) throw bad(manifest, `expected metadata of ${kind}, found none`, "metadata");
  const prefix = metadata["generateName"];
  const unnamed = typeof metadata["name"] !== "string" && typeof prefix === "string" && prefix !== "";
  if (unnamed && !isHook(metadata)) {
    throw bad(
      manifest,
      `expected metadata.name of ${kind}, found generateName, which would make a new object each time`,
      "metadata.name",
    );
  }
  const name = unnamed ? prefix : requireText(manifest, metadata["name"], "metadata.name", kind);
  const namespace = metadata["namespace"];
  if (namespace !== undefined && namespace !== null && typeof namespace !== "string") {
    throw bad(manifest, `expected a text as namespace of ${kind} ${name}`, "metadata.namespace");
  }
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  return { group, kind, namespace: namespace ?? "", name };
}

/** Hooks alone may leave their name to the agent, which makes one for each run. */
function isHook(metadata: JsonObject): boolean {
  const annotations = metadata["annotations"];
  if (!isObject(annotations)) return false;
  return annotations["argocd.argoproj.io/hook"] !== undefined || annotations["helm.sh/hook"] !== undefined;
}

const serverFields = ["managedFields", "uid", "resourceVersion", "creationTimestamp"];

/** The manifest without what only a server writes: status and four fields of the metadata. */
export function withoutServerFields(value: JsonObject): JsonObject {
  const metadata = value["metadata"];
  const { status: _, ...rest } = value;
  if (!isObject(metadata)) return rest;
  const kept = Object.entries(metadata).filter(([field]) => !serverFields.includes(field));
  return { ...rest, metadata: Object.fromEntries(kept) };
}

function collect(value: Json, place: { readonly file: string; readonly line?: number }, found: Manifest[]): void {
  if (value === null) return;
  if (!isObject(value)) throw bad({ value: {}, ...place }, "expected an object with apiVersion and kind");
  const { apiVersion, kind, items } = value;
  if (typeof kind === "string" && kind.endsWith("List") && Array.isArray(items)) {
    for (const item of items as readonly Json[]) collect(item, place, found);
  } else if (typeof apiVersion !== "string" || !apiVersion.startsWith("kustomize.config.k8s.io/")) {
    found.push({ ref: refOf({ value, ...place }), value, ...place });
  }
}

function requireText(manifest: Unnamed, value: Json | undefined, field: string, kind = ""): string {
  if (typeof value === "string" && value !== "") return value;
  const found = value === undefined || value === null || value === "" ? "none" : JSON.stringify(value, plain);
  throw bad(
    manifest,
    `expected ${field} of ${kind === "" ? "every manifest" : kind}, found ${found.slice(0, 60)}`,
    field,
  );
}

function bad(manifest: Unnamed, message: string, field?: string): Fault {
  return new Fault("bad-manifest", {
    message: `${message}.`,
    where: { ...placeOf(manifest), ...(field === undefined ? {} : { field }) },
    next: "Correct the manifest, or keep files that are no manifests out of the source's path.",
  });
}

/** Whether a manifest names its object; a hook may name only the beginning of it. */
export function hasName({ value }: Pick<Manifest, "value">): boolean {
  return isObject(value["metadata"]) && typeof value["metadata"]["name"] === "string";
}

/** Where a manifest stands, for faults. */
export function placeOf(manifest: Unnamed): Where {
  return { file: manifest.file, ...(manifest.line === undefined ? {} : { line: manifest.line }) };
}

/** Whether a value is a map. */
export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? value.toString() : value;
}
