import { Fault } from "@capstan/proto";
import { readYamlParts, type YamlDocument, type YamlPlace } from "../yaml/read.ts";
import { type FieldPath, pathText, ShapeError } from "./decode.ts";
import { checkHealthRules, healthAnnotation } from "./health-rules.ts";
import { badMark, keyRule, valueRule } from "./labels.ts";
import type {
  ApplicationSetSpec,
  ApplicationSpec,
  AppProjectSpec,
  Document,
  DocumentKind,
  Json,
  JsonObject,
  Metadata,
  Origin,
  UnknownField,
} from "./model.ts";
import { applicationFindings, projectFindings, setFindings } from "./unsupported.ts";
import { asCluster, asFreezeWindow, asRolloutStrategy, decodeDocument } from "./views.ts";

/** Something odd that stops nothing. */
export interface Warning {
  readonly message: string;
  readonly where: { readonly file: string; readonly line: number; readonly column?: number };
}

export interface ParsedDocuments {
  readonly documents: readonly Document[];
  readonly faults: readonly Fault[];
  readonly warnings: readonly Warning[];
}

/** Where a file's documents come from; the lines are found here. */
export type FileOrigin = Omit<Origin, "line">;

const kinds: Readonly<Record<DocumentKind, string>> = {
  ApplicationSet: "argoproj.io/v1alpha1",
  Application: "argoproj.io/v1alpha1",
  AppProject: "argoproj.io/v1alpha1",
  Cluster: "capstan.dev/v1",
  ConfigMap: "v1",
  RolloutStrategy: "capstan.dev/v1",
  FreezeWindow: "capstan.dev/v1",
};
/** Where Argo CD lives by default, and so the namespace of a document that names none. */
const defaultNamespace = "argocd";
const maxName = 253;
/** Unknown fields of one document that are remembered with their places. */
const maxUnknown = 100;
const namePattern = /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

/**
 * Reads the documents of one file: Argo CD's ApplicationSet, Application and AppProject, Cluster and ConfigMap; Lists are
 * opened.
 * A document that is wrong becomes a fault with file and line and is left out, its neighbours stay. Never throws.
 */
export function parseDocuments(text: string, origin: FileOrigin): ParsedDocuments {
  const documents: Document[] = [];
  const faults: Fault[] = [];
  const warnings: Warning[] = [];
  for (const part of readYamlParts(text, { file: origin.file })) {
    if (part instanceof Fault) {
      faults.push(part);
      continue;
    }
    for (const path of itemPaths(part.value)) {
      const place = new Place(part, path, origin);
      try {
        documents.push(parseOne(place, warnings));
      } catch (thrown) {
        const fault = Fault.from(thrown, "bad-input");
        const { line, column } = place.at(thrown instanceof ShapeError ? thrown.path : placeOf(fault));
        faults.push(fault.at({ file: origin.file, line, ...(thrown instanceof ShapeError ? { column } : {}) }));
      }
    }
  }
  return { documents, faults, warnings };
}

/** A fault about one annotation names its map; all others are about the document. */
function placeOf({ where }: Fault): FieldPath {
  return where?.field === "metadata.annotations" ? ["metadata", "annotations", healthAnnotation] : [];
}

/** One object within a YAML document. */
class Place {
  readonly #document: YamlDocument;
  readonly #path: FieldPath;
  readonly origin: FileOrigin;

  constructor(document: YamlDocument, path: FieldPath, origin: FileOrigin) {
    this.#document = document;
    this.#path = path;
    this.origin = origin;
  }

  get value(): Json | undefined {
    let value: Json | undefined = this.#document.value;
    for (const key of this.#path) value = (value as Record<string | number, Json | undefined>)[key];
    return value;
  }

  at(path: FieldPath): YamlPlace {
    return this.#document.placeOf([...this.#path, ...path]);
  }

  warn(warnings: Warning[], path: FieldPath, message: string): void {
    warnings.push({ message, where: { file: this.origin.file, ...this.at(path) } });
  }
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The document itself, or each item of a List. */
function itemPaths(value: Json): readonly FieldPath[] {
  if (!isObject(value)) return [[]];
  const kind = value["kind"];
  const items = value["items"];
  const isList =
    kind === "List" || (typeof kind === "string" && kind.endsWith("List") && Object.hasOwn(kinds, kind.slice(0, -4)));
  return isList && Array.isArray(items) ? items.map((_, index) => ["items", index]) : [[]];
}

function parseOne(place: Place, warnings: Warning[]): Document {
  const raw = place.value;
  if (!isObject(raw)) {
    throw new Fault("bad-input", {
      message: "a document is a map with apiVersion, kind, metadata and spec.",
      next: "Mend it.",
    });
  }
  const kind = kindOf(raw);
  const unknown: UnknownField[] = [];
  const decoded = decodeDocument(kind, raw, {
    unknown(path) {
      const field = pathText(path);
      place.warn(warnings, path, `${field} is no field of ${kind}; it is kept but has no effect`);
      if (unknown.length < maxUnknown) unknown.push({ field, file: place.origin.file, ...place.at(path) });
    },
  });
  const metadata = metadataOf(kind, decoded["metadata"] as Partial<Metadata>);
  const document: Document = {
    apiVersion: kinds[kind],
    kind,
    metadata,
    raw,
    origin: { ...place.origin, line: place.at([]).line },
    ...(unknown.length === 0 ? {} : { unknown }),
  };
  if (kind === "Cluster") {
    asCluster(document);
    assertMarks(metadata);
  }
  if (kind === "RolloutStrategy") asRolloutStrategy(document);
  if (kind === "FreezeWindow") asFreezeWindow(document);
  if (kind === "AppProject") checkHealthRules(metadata);
  warnUnsupported({ place, kind, decoded }, warnings);
  return document;
}

function kindOf(raw: JsonObject): DocumentKind {
  const { apiVersion, kind } = raw;
  if (typeof kind === "string" && Object.hasOwn(kinds, kind) && (kind !== "ConfigMap" || isForGenerators(raw))) {
    const expected = kinds[kind as DocumentKind];
    if (apiVersion === expected) return kind as DocumentKind;
    throw new Fault("unknown-kind", {
      message: `${kind} has apiVersion ${expected}; found ${JSON.stringify(apiVersion ?? null)}.`,
      next: `Write apiVersion: ${expected}.`,
    });
  }
  const other = kind === "ConfigMap" ? " that no generator reads" : "";
  const found =
    kind === undefined
      ? "no kind at all"
      : `${JSON.stringify(kind)} (${JSON.stringify(apiVersion ?? "no apiVersion")})`;
  throw new Fault("unknown-kind", {
    message: `expected one of ${Object.keys(kinds).join(", ")}; found ${found}${other}.`,
    next: "Move other objects to a directory that an Application deploys.",
  });
}

/** Whether a ConfigMap is one of those that generators read: a plugin's, a decision resource's, or certificates. */
function isForGenerators({ data }: JsonObject): boolean {
  if (!isObject(data)) return false;
  const certificates = (value: Json) => typeof value === "string" && value.includes("-----BEGIN CERTIFICATE-----");
  return "baseUrl" in data || "matchKey" in data || Object.values(data).some(certificates);
}

function metadataOf(kind: DocumentKind, given: Partial<Metadata>): Metadata {
  const name = given.name ?? "";
  if (name === "" || name.length > maxName || !namePattern.test(name)) {
    throw new ShapeError(["metadata", "name"], "a DNS name (a-z, 0-9, - and ., at most 253)", name);
  }
  return {
    name,
    namespace: kind === "Cluster" ? "" : (given.namespace ?? defaultNamespace),
    labels: given.labels ?? {},
    annotations: given.annotations ?? {},
    finalizers: given.finalizers ?? [],
  };
}

/** A cluster's labels are selected by as Kubernetes selects: so they keep its rules. */
function assertMarks({ labels, annotations }: Metadata): void {
  const bad = badMark({ labels, annotations });
  if (bad === undefined) return;
  const { map, key, wrong } = bad;
  const [expected, found] = wrong === "key" ? [`under a key that is ${keyRule}`, key] : [valueRule, labels[key]];
  throw new ShapeError(["metadata", map, key], expected, found);
}

function warnUnsupported(
  found: { readonly place: Place; readonly kind: DocumentKind; readonly decoded: JsonObject },
  warnings: Warning[],
): void {
  const { place, kind } = found;
  const spec = found.decoded["spec"] as JsonObject;
  if (kind === "AppProject") {
    for (const finding of projectFindings(spec as AppProjectSpec)) {
      const effect = finding.verdict === "refused" ? "; targets of this project are refused" : "";
      place.warn(warnings, ["spec", ...finding.path], `${finding.text}${effect}`);
    }
  }
  if (kind !== "Application" && kind !== "ApplicationSet") return;
  if (kind === "ApplicationSet") {
    for (const { path, text } of setFindings(spec as unknown as ApplicationSetSpec))
      place.warn(warnings, ["spec", ...path], text);
  }
  const base: FieldPath = kind === "Application" ? ["spec"] : ["spec", "template", "spec"];
  const template = kind === "Application" ? spec : (spec["template"] as JsonObject)["spec"];
  for (const finding of applicationFindings(template as unknown as ApplicationSpec)) {
    const effect = finding.verdict === "refused" ? "; its targets are refused" : "";
    const text = finding.text.replace(/^spec(?=\.)/, base.join("."));
    place.warn(warnings, [...base, ...finding.path], `${text}${effect}`);
  }
}
