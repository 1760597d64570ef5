import { Fault, parseClusterId } from "@capstan/proto";
import { applicationSetShape } from "./application-set-shape.ts";
import { applicationShape } from "./application-shape.ts";
import { type DecodeReport, decode } from "./decode.ts";
import { type FreezeWindowSpec, parseFreezeWindow } from "./freeze-window.ts";
import type {
  Application,
  ApplicationSet,
  ApplicationSetSpec,
  ApplicationSpec,
  AppProject,
  AppProjectSpec,
  ClusterSpec,
  Document,
  DocumentKind,
  JsonObject,
} from "./model.ts";
import { clusterShape, configMapShape, projectShape } from "./project-shape.ts";
import type { StructShape } from "./shape.ts";
import type { RolloutStrategySpec } from "./strategy-model.ts";
import { parseStrategySpec } from "./strategy-parse.ts";
import { freezeWindowShape, rolloutStrategyShape } from "./strategy-shape.ts";

/** A `Cluster` document: the cluster's id is `metadata.name`. */
export interface ClusterDocument {
  readonly metadata: Document["metadata"];
  readonly spec: ClusterSpec;
}

const shapes: Record<DocumentKind, StructShape> = {
  ApplicationSet: applicationSetShape,
  Application: applicationShape,
  AppProject: projectShape,
  Cluster: clusterShape,
  ConfigMap: configMapShape,
  RolloutStrategy: rolloutStrategyShape,
  FreezeWindow: freezeWindowShape,
};
// What people paste along with their own fields, and what a cluster adds.
const silent = new Set(["status", "operation"]);
const silentMetadata = new Set([
  "creationTimestamp",
  "generation",
  "managedFields",
  "ownerReferences",
  "resourceVersion",
  "selfLink",
  "uid",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "generateName",
]);

/** Reads a document into its kind's fields. Throws `bad-input` with the field's path where a value does not fit. */
export function decodeDocument(kind: DocumentKind, raw: JsonObject, report: DecodeReport = {}): JsonObject {
  return decode(shapes[kind], raw, {
    unknown(path) {
      const [first, second] = path;
      if (path.length === 1 && silent.has(String(first))) return;
      if (path.length === 2 && first === "metadata" && silentMetadata.has(String(second))) return;
      report.unknown?.(path);
    },
  });
}

function specOf(document: Document, kind: DocumentKind): unknown {
  if (document.kind !== kind) {
    throw new Fault("internal", { message: `a document of kind ${kind} was expected, found ${document.kind}.` });
  }
  return decodeDocument(kind, document.raw)["spec"];
}

/** Throws `bad-input` with the field's path. */
export function asApplicationSet(document: Document): ApplicationSet {
  const { metadata, unknown } = document;
  const spec = specOf(document, "ApplicationSet") as ApplicationSetSpec;
  return { metadata, spec, ...(unknown === undefined ? {} : { unknown }) };
}

/** Throws `bad-input` with the field's path. */
export function asApplication(document: Document): Application {
  return { metadata: document.metadata, spec: specOf(document, "Application") as ApplicationSpec };
}

/** Throws `bad-input` with the field's path. */
export function asAppProject(document: Document): AppProject {
  return { metadata: document.metadata, spec: specOf(document, "AppProject") as AppProjectSpec };
}

/** Throws `bad-input`, also where the name is no cluster id or the mode is unknown. */
export function asCluster(document: Document): ClusterDocument {
  parseClusterId(document.metadata.name);
  const { mode, ...rest } = specOf(document, "Cluster") as { mode?: string } & Omit<ClusterSpec, "mode">;
  if (mode !== undefined && mode !== "Observe" && mode !== "AdoptIfNoDiff" && mode !== "Enforce") {
    throw new Fault("bad-input", {
      message: `spec.mode must be Observe, AdoptIfNoDiff or Enforce; found ${JSON.stringify(mode)}.`,
      where: { field: "spec.mode" },
      next: "Choose one of the three, or leave it out for AdoptIfNoDiff.",
    });
  }
  return { metadata: document.metadata, spec: mode === undefined ? rest : { ...rest, mode } };
}

/** A `RolloutStrategy` document. */
export interface RolloutStrategyDocument {
  readonly metadata: Document["metadata"];
  readonly spec: RolloutStrategySpec;
}

/** Throws `bad-input` with the field, what was expected and what to write instead. */
export function asRolloutStrategy(document: Document): RolloutStrategyDocument {
  return { metadata: document.metadata, spec: parseStrategySpec(specOf(document, "RolloutStrategy") as JsonObject) };
}

/** A `FreezeWindow` document. */
export interface FreezeWindowDocument {
  readonly metadata: Document["metadata"];
  readonly spec: FreezeWindowSpec;
}

/** Throws `bad-input` with the field, what was expected and what to write instead. */
export function asFreezeWindow(document: Document): FreezeWindowDocument {
  return { metadata: document.metadata, spec: parseFreezeWindow(specOf(document, "FreezeWindow") as JsonObject) };
}
