import type { JsonObject } from "../documents/model.ts";
import { normalizeName } from "../template/names.ts";
import { GoList, GoMap, stringMapOf, type Value } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import type { ClusterParams } from "./model.ts";
import { compileSelector } from "./selector.ts";
import { appendValues } from "./values.ts";

export interface ClustersGenerator {
  readonly selector?: JsonObject;
  readonly values?: Readonly<Record<string, string>>;
  readonly flatList?: boolean;
}

const secretType = "argocd.argoproj.io/secret-type";
/** The address by which a cluster knows itself; Argo CD's own cluster has it. */
export const localServer = "https://kubernetes.default.svc";
/** What Argo CD calls its own cluster. */
export const localName = "in-cluster";

/** One element for each cluster that the selector takes, and last the local one where no selector is given. */
export function generateClusters(context: GenerateContext, generator: ClustersGenerator, path: string): Params[] {
  const selector = generator.selector ?? {};
  const matches = compileSelector(withSecretType(selector), "labels");
  const selected = new Map<string, ClusterParams>();
  for (const cluster of context.input.clusters) {
    const labels = new Map(Object.entries(cluster.labels)).set(secretType, "cluster");
    if (matches(labels)) selected.set(cluster.name, cluster);
  }
  const isLocalKnown = [...selected.values()].some((cluster) => cluster.server === localServer);
  const sets: Params[] = [];
  const add = (name: string, source: ClusterParams | undefined, make: () => Params) => {
    const params = make;
    try {
      const whole = () => {
        const made = params();
        appendValuesOrFail(context, { values: generator.values, params: made, path });
        return [made];
      };
      sets.push(...context.recall(context.placeOf(path, name), [source, generator.values], whole));
    } catch (thrown) {
      if (!(thrown instanceof ElementLost)) throw thrown;
    }
  };
  for (const cluster of selected.values())
    add(`cluster ${cluster.name}`, cluster, () => clusterParams(cluster, context.goTemplate));
  if (Object.keys(selector).length === 0 && !isLocalKnown) add("local", undefined, localParams);
  if (generator.flatList !== true) return sets;
  const flat = () => [new GoMap(new Map([["clusters", new GoList(sets, "map")]]))];
  return [...context.recall(context.placeOf(path, "flat"), sets, flat)];
}

/** One element failed, and its fault is told. */
class ElementLost extends Error {}

function appendValuesOrFail(
  context: GenerateContext,
  given: { readonly values: ClustersGenerator["values"]; readonly params: Params; readonly path: string },
): void {
  try {
    appendValues(context, given.values, given.params);
  } catch (thrown) {
    context.fail(thrown, { generator: given.path, step: "generator", element: given.params });
    throw new ElementLost();
  }
}

/** Argo CD adds its own label in silence, over what people wrote. */
function withSecretType(selector: JsonObject): JsonObject {
  return {
    ...selector,
    matchLabels: { ...(selector["matchLabels"] as JsonObject | undefined), [secretType]: "cluster" },
  };
}

function localParams(): Params {
  return new GoMap(
    new Map<string, Value>([
      ["name", localName],
      ["nameNormalized", localName],
      ["server", localServer],
      ["project", ""],
    ]),
  );
}

function clusterParams(cluster: ClusterParams, goTemplate: boolean): Params {
  const labels = { ...cluster.labels, [secretType]: "cluster" };
  const entries = new Map<string, Value>([
    ["name", cluster.name],
    ["nameNormalized", normalizeName(cluster.name)],
    ["server", cluster.server],
    ["project", cluster.project ?? ""],
  ]);
  if (goTemplate) {
    const metadata = new Map<string, Value>([["labels", stringMapOf(labels)]]);
    if (Object.keys(cluster.annotations).length > 0) metadata.set("annotations", stringMapOf(cluster.annotations));
    entries.set("metadata", new GoMap(metadata));
    return new GoMap(entries);
  }
  for (const [key, value] of Object.entries(cluster.annotations)) entries.set(`metadata.annotations.${key}`, value);
  for (const [key, value] of Object.entries(labels)) entries.set(`metadata.labels.${key}`, value);
  return new GoMap(entries);
}
