import { toJson } from "@bufbuild/protobuf";
import { type DesiredTarget, DesiredTargetSchema } from "@capstan/proto/desired";
import { structuredPatch } from "diff";
import type { Json, JsonObject } from "../documents/model.ts";
import { toYaml } from "../yaml/write.ts";

/** What stands in place of a secret value, and of one that differs from the other side of a difference. */
const mask = "********";
const otherMask = "******** (differs)";
const secretFields = ["data", "stringData"] as const;
const lastApplied = "kubectl.kubernetes.io/last-applied-configuration";

/** The objects of a bundle: one canonical JSON object a line. */
export function objectsOf(bundle: Uint8Array): JsonObject[] {
  return new TextDecoder()
    .decode(bundle)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line, exact) as JsonObject);
}

/** Keeps integers that a number cannot hold. */
function exact(_key: string, value: Json, context?: { readonly source?: string }): Json {
  const source = context?.source;
  const inexact = typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value);
  return inexact && source !== undefined && /^-?\d+$/.test(source) ? BigInt(source) : value;
}

/** Manifests as YAML, values of Secrets masked. */
export function manifestsYaml(objects: readonly JsonObject[]): string {
  return objects.map((object) => toYaml(masked(object, undefined))).join("---\n");
}

/** `Kind namespace/name`, as a difference names an object. */
export function objectName(object: JsonObject): string {
  const { namespace, name } = (object["metadata"] ?? {}) as { readonly namespace?: string; readonly name?: string };
  return `${object["kind"] as string} ${namespace === undefined ? "" : `${namespace}/`}${name ?? ""}`;
}

function identity(object: JsonObject): string {
  return `${object["apiVersion"] as string} ${objectName(object)}`;
}

/** Secret values never leave the hub (promise 10); a value that differs from `other`'s is marked so, and only so. */
function masked(object: JsonObject, other: JsonObject | undefined): JsonObject {
  if (object["kind"] !== "Secret" || object["apiVersion"] !== "v1") return object;
  const copy: Record<string, Json> = { ...object };
  for (const field of secretFields) {
    const values = object[field];
    if (typeof values !== "object" || values === null) continue;
    const theirs = (other?.[field] ?? {}) as JsonObject;
    copy[field] = Object.fromEntries(
      Object.entries(values as JsonObject).map(([key, value]) => {
        const same = other === undefined || !Object.hasOwn(theirs, key) || theirs[key] === value;
        return [key, same ? mask : otherMask];
      }),
    );
  }
  copy["metadata"] = withoutLastApplied((object["metadata"] ?? {}) as JsonObject);
  return copy;
}

function withoutLastApplied(metadata: JsonObject): JsonObject {
  const annotations = (metadata["annotations"] ?? {}) as JsonObject;
  if (!Object.hasOwn(annotations, lastApplied)) return metadata;
  return { ...metadata, annotations: { ...annotations, [lastApplied]: mask } };
}

/** How a target is delivered, apart from its manifests: shown where it changes. */
export function settingsYaml(target: DesiredTarget | undefined): string {
  if (target === undefined) return "";
  const { project, mode, policy, serviceAccount, destinationNamespace } = toJson(DesiredTargetSchema, target) as Record<
    string,
    Json
  >;
  const given = { project, mode, serviceAccount, destinationNamespace, policy };
  return toYaml(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as JsonObject);
}

/** One side of a difference. */
export interface Side {
  readonly objects: readonly JsonObject[];
  readonly settings: string;
}

/** Nothing on this side. */
export const noSide: Side = { objects: [], settings: "" };

/** The unified difference of two sides, object by object; empty where they are equal. */
export function unifiedDiff(before: Side, after: Side): string {
  const old = new Map(before.objects.map((object) => [identity(object), object] as const));
  const now = new Map(after.objects.map((object) => [identity(object), object] as const));
  const parts = [...new Set([...old.keys(), ...now.keys()])].sort().map((key) => {
    const [a, b] = [old.get(key), now.get(key)];
    const object = a ?? b;
    const texts = [
      a === undefined ? "" : toYaml(masked(a, undefined)),
      b === undefined ? "" : toYaml(masked(b, a)),
    ] as const;
    return object === undefined ? "" : patch(objectName(object), texts);
  });
  return patch("settings of the target", [before.settings, after.settings]) + parts.join("");
}

function patch(name: string, [before, after]: readonly [string, string]): string {
  if (before === after) return "";
  const { hunks } = structuredPatch(name, name, before, after, "", "", { context: 3 });
  const lines = hunks.flatMap(({ oldStart, oldLines, newStart, newLines, lines: changed }) => [
    `@@ -${oldStart},${oldLines} +${newStart},${newLines} @@`,
    ...changed,
  ]);
  const from = before === "" ? "/dev/null" : name;
  const to = after === "" ? "/dev/null" : name;
  return `--- ${from}\n+++ ${to}\n${lines.join("\n")}\n`;
}
