import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { isObject } from "./manifest.ts";

/** What a kustomization reads. Paths are as written, relative to its directory. */
export interface References {
  /** Files or directories with a kustomization of their own. */
  readonly resources: readonly string[];
  /** Files only, which must lie in or below the directory. */
  readonly files: readonly string[];
  /** The same, for plugins' configuration, whose content is looked at. */
  readonly plugins: readonly string[];
  /** Plugins' configuration that is written in the kustomization itself. */
  readonly inlinePlugins: readonly string[];
  /** A field that this version does not know: what it reads cannot be told. */
  readonly unknown: boolean;
}

const plain = new Set([
  "apiVersion",
  "kind",
  "metadata",
  "namespace",
  "namePrefix",
  "nameSuffix",
  "commonLabels",
  "commonAnnotations",
  "labels",
  "images",
  "replicas",
  "generatorOptions",
  "vars",
  "buildMetadata",
  "sortOptions",
  "inventory",
]);
const lists = new Set([
  "resources",
  "bases",
  "components",
  "crds",
  "configurations",
  "generators",
  "transformers",
  "validators",
  "patches",
  "patchesJson6902",
  "patchesStrategicMerge",
  "replacements",
  "configMapGenerator",
  "secretGenerator",
  "openapi",
]);

/** Finds everything that a kustomization reads. Throws `unsupported` for chart inflation and `bad-manifest` for wrong shapes. */
export function referencesOf(kustomization: JsonObject, file: string): References {
  for (const field of ["helmCharts", "helmChartInflationGenerator"]) {
    if (listOf(kustomization, field, file).length > 0) throw inflation(file, field);
  }
  const texts = (field: string) =>
    listOf(kustomization, field, file).filter((item): item is string => typeof item === "string");
  const inline = (text: string) => text.includes("\n");
  const paths = ["patches", "patchesJson6902", "replacements"].flatMap((field) =>
    listOf(kustomization, field, file).flatMap((item) => textOf(item, "path")),
  );
  const plugins = ["generators", "transformers", "validators"].flatMap(texts);
  const generators = ["configMapGenerator", "secretGenerator"].flatMap((field) => listOf(kustomization, field, file));
  return {
    resources: [...texts("resources"), ...texts("bases"), ...texts("components")],
    plugins: plugins.filter((text) => !inline(text)),
    inlinePlugins: plugins.filter(inline),
    files: [
      ...texts("crds"),
      ...texts("configurations"),
      ...texts("patchesStrategicMerge").filter((text) => !inline(text)),
      ...paths,
      ...generators.flatMap((generator) => generatorFiles(generator, file)),
      ...textOf(kustomization["openapi"], "path"),
    ],
    unknown: Object.keys(kustomization).some((field) => !plain.has(field) && !lists.has(field)),
  };
}

/** Whether a reference that is nothing in the repository names something elsewhere. */
export function looksRemote(reference: string): boolean {
  return (
    /^[a-z][a-z0-9+.-]*:(\/\/|:)/i.test(reference) ||
    /^[\w.-]+@[\w.-]+:/.test(reference) ||
    /[?&](ref|version|timeout|submodules)=/.test(reference) ||
    /^(github|gitlab|bitbucket|git)\.[\w.-]+[/:]/i.test(reference) ||
    reference.includes(".git/") ||
    reference.endsWith(".git")
  );
}

/** `remote-refused`, naming what was asked for. */
export function remoteBase(reference: string, file: string): Fault {
  return new Fault("remote-refused", {
    message: `expected a base in the repository, found the remote ${JSON.stringify(reference.slice(0, 200))}; nothing is fetched while rendering.`,
    where: { file },
    next: "Commit the base to the repository.",
  });
}

function generatorFiles(generator: Json, file: string): readonly string[] {
  if (!isObject(generator)) return [];
  const named = listOf(generator, "files", file).filter((item): item is string => typeof item === "string");
  const envs = listOf(generator, "envs", file).filter((item): item is string => typeof item === "string");
  // `key=path` or `path`.
  const files = named.map((text) => (text.includes("=") ? text.slice(text.indexOf("=") + 1) : text));
  return [...files, ...envs, ...textOf(generator, "env")];
}

function textOf(value: Json | undefined, field: string): readonly string[] {
  const found = isObject(value) ? value[field] : undefined;
  return typeof found === "string" && found !== "" ? [found] : [];
}

function listOf(value: JsonObject, field: string, file: string): readonly Json[] {
  const found = value[field];
  if (found === undefined || found === null) return [];
  if (Array.isArray(found)) return found as readonly Json[];
  throw new Fault("bad-manifest", { message: `expected a list as ${field}.`, where: { file, field } });
}

function inflation(file: string, field: string): Fault {
  return new Fault("unsupported", {
    message: `expected a kustomization without ${field}: charts are not inflated inside Kustomize.`,
    where: { file, field },
    next: "Make the chart a source of its own (spec.sources).",
  });
}
