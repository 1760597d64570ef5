import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { isObject } from "./manifest.ts";

/**
 * Puts an Application's `kustomize:` fields into its kustomization, as `kustomize edit` would: prefix, suffix and
 * namespace replace, images and replicas replace by name, labels and annotations merge, patches and components are added.
 * Throws `bad-input`; returns the kustomization itself where there is nothing to put in.
 */
export function editKustomization(kustomization: JsonObject, edits: JsonObject, file: string): JsonObject {
  let edited = kustomization;
  for (const [field, value] of Object.entries(edits)) {
    if (value === null || value === "" || value === false || isEmptyList(value)) continue;
    edited = editField(edited, { field, value, edits, file });
  }
  return edited;
}

interface Edit {
  readonly field: string;
  readonly value: Json;
  readonly edits: JsonObject;
  readonly file: string;
}

function editField(on: JsonObject, edit: Edit): JsonObject {
  const { field, value, edits, file } = edit;
  switch (field) {
    case "namePrefix":
    case "nameSuffix":
    case "namespace":
      return { ...on, [field]: value };
    case "images":
      return { ...on, images: texts(edit).reduce(setImage, list(on["images"])) };
    case "replicas":
      return { ...on, replicas: maps(edit).reduce(setReplicas, list(on["replicas"])) };
    case "commonLabels":
      return edits["labelWithoutSelector"] === true
        ? { ...on, labels: [...list(on["labels"]), labelsEntry(edit)] }
        : { ...on, commonLabels: merged(on, edit, edits["forceCommonLabels"] === true) };
    case "commonAnnotations":
      return { ...on, commonAnnotations: merged(on, edit, edits["forceCommonAnnotations"] === true) };
    case "patches":
      return { ...on, patches: [...list(on["patches"]), ...maps(edit)] };
    case "components":
      return { ...on, components: [...list(on["components"]), ...texts(edit)] };
    // Read beside the field that they change, or of no effect on what is made.
    case "labelWithoutSelector":
    case "labelIncludeTemplates":
    case "forceCommonLabels":
    case "forceCommonAnnotations":
    case "commonAnnotationsEnvsubst":
    case "ignoreMissingComponents":
    case "version":
    case "kubeVersion":
    case "apiVersions":
      return on;
    default:
      throw new Fault("unsupported", { message: `kustomize.${field} is not supported yet.`, where: { file, field } });
  }
}

/** Replaces the entry of the same name: a new tag drops an old digest, and the reverse. */
function setImage(images: readonly Json[], text: string): readonly Json[] {
  const { name, ...change } = parseImage(text);
  const old = images.filter(isObject).find((image) => image["name"] === name) ?? {};
  const { newTag, digest, ...kept } = old;
  const pinned = "newTag" in change || "digest" in change ? {} : pick({ newTag, digest });
  return [...images.filter((image) => image !== old), { ...kept, ...pinned, name, ...change }];
}

/** `name=new:tag`, `name=new@digest`, `name:tag`, `name@digest`, `name=new`. */
export function parseImage(text: string): { name: string; newName?: string; newTag?: string; digest?: string } {
  const split = text.indexOf("=");
  const target = text.slice(split + 1);
  const at = target.indexOf("@");
  const colon = target.indexOf(":", target.lastIndexOf("/") + 1);
  const cut = at >= 0 ? at : colon >= 0 ? colon : target.length;
  const image = target.slice(0, cut);
  const pin = at >= 0 ? { digest: target.slice(at + 1) } : colon >= 0 ? { newTag: target.slice(colon + 1) } : {};
  return split < 0 ? { name: image, ...pin } : { name: text.slice(0, split), newName: image, ...pin };
}

function setReplicas(replicas: readonly Json[], change: JsonObject): readonly Json[] {
  const count = Number(change["count"]);
  const others = replicas.filter((entry) => !isObject(entry) || entry["name"] !== change["name"]);
  return [...others, { name: change["name"] ?? "", count }];
}

function labelsEntry({ value, edits }: Edit): JsonObject {
  return { pairs: value, includeSelectors: false, includeTemplates: edits["labelIncludeTemplates"] === true };
}

function merged(on: JsonObject, edit: Edit, force: boolean): JsonObject {
  const old = on[edit.field];
  const added = edit.value;
  if (!isObject(added)) throw shape(edit, "a map");
  if (!isObject(old)) return added;
  const twice = Object.keys(added).find((key) => key in old && old[key] !== added[key]);
  if (twice !== undefined && !force) {
    throw new Fault("bad-input", {
      message: `${edit.field} ${JSON.stringify(twice)} is set in the kustomization already.`,
      where: { file: edit.file, field: edit.field },
      next: `Set kustomize.force${edit.field.charAt(0).toUpperCase()}${edit.field.slice(1)} to override it.`,
    });
  }
  return { ...old, ...added };
}

function texts(edit: Edit): readonly string[] {
  const found = list(edit.value);
  if (!Array.isArray(edit.value) || !found.every((item) => typeof item === "string"))
    throw shape(edit, "a list of texts");
  return found as readonly string[];
}

function maps(edit: Edit): readonly JsonObject[] {
  const found = list(edit.value);
  if (!Array.isArray(edit.value) || !found.every(isObject)) throw shape(edit, "a list of maps");
  return found as readonly JsonObject[];
}

function shape({ field }: Edit, expected: string): Fault {
  return new Fault("bad-input", { message: `expected ${expected} as kustomize.${field}.`, where: { field } });
}

function list(value: Json | undefined): readonly Json[] {
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

function isEmptyList(value: Json): boolean {
  return Array.isArray(value) && value.length === 0;
}

function pick(fields: Readonly<Record<string, Json | undefined>>): JsonObject {
  return Object.fromEntries(Object.entries(fields).filter((entry): entry is [string, Json] => entry[1] !== undefined));
}
