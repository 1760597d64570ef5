import type { Json, JsonObject } from "../documents/model.ts";
import { GoMap, type Value } from "../template/value.ts";
import { readYaml } from "../yaml/read.ts";
import { localName, localServer } from "./clusters.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";
import { compileSelector } from "./selector.ts";

/** `clusterDecisionResource` of a set. */
export interface DecisionGenerator {
  readonly configMapRef: string;
  readonly name?: string;
  readonly labelSelector?: JsonObject;
  readonly values?: Readonly<Record<string, string>>;
}

/** What the ConfigMap says of the resources, and the resources themselves. */
interface Decisions {
  readonly statusListKey: string;
  readonly matchKey: string;
  readonly resources: readonly JsonObject[];
}

/**
 * One element for each known cluster that the decisions name. The resources stand in the ConfigMap document itself, under
 * `resources`: the hub reads no cluster.
 */
export function generateDecisions(context: GenerateContext, generator: DecisionGenerator, path: string): Params[] {
  const { statusListKey, matchKey, resources } = decisionsOf(context, generator);
  const chosen = resources.filter(selectorOf(generator));
  if (chosen.length === 0) {
    throw badInput(
      `ConfigMap ${generator.configMapRef} holds no resource that name or labelSelector takes.`,
      "Put the resources, with their status, under the key resources.",
      "configMapRef",
    );
  }
  const servers = new Map(context.input.clusters.map(({ name, server }) => [name, server] as const));
  if (![...servers.values()].includes(localServer) && !servers.has(localName)) servers.set(localName, localServer);
  const sets: Params[] = [];
  for (const resource of chosen) {
    for (const decision of listIn(resource, statusListKey)) {
      try {
        const params = paramsOf(context, { decision, matchKey, servers, values: generator.values });
        if (params !== undefined) sets.push(params);
      } catch (thrown) {
        context.fail(thrown, { generator: path, step: "generator", element: decision });
      }
    }
  }
  return sets;
}

function decisionsOf(context: GenerateContext, { configMapRef }: DecisionGenerator): Decisions {
  const data = context.input.configMap?.(configMapRef);
  if (data === undefined) {
    throw badInput(
      `there is no ConfigMap ${context.input.set.metadata.namespace}/${configMapRef}.`,
      "Add it to a root of documents, or apply it with capstan apply.",
      "configMapRef",
    );
  }
  const { apiVersion = "", kind = "", statusListKey = "", matchKey = "" } = data;
  if (kind === "" || apiVersion.indexOf("/") < 1 || matchKey === "") {
    throw badInput(
      `ConfigMap ${configMapRef} needs apiVersion (GROUP/VERSION), kind (the plural name) and matchKey.`,
      "Add what is missing.",
      "configMapRef",
    );
  }
  const resources = (data["resources"] ?? "").trim() === "" ? [] : objectsIn(data["resources"] ?? "", configMapRef);
  return {
    statusListKey: statusListKey === "" ? "clusters" : statusListKey,
    matchKey,
    resources: resources.filter((each) => each["apiVersion"] === apiVersion && isPluralOf(kind, each["kind"])),
  };
}

/** The objects of a YAML text; Lists are opened. */
function objectsIn(text: string, configMap: string): JsonObject[] {
  return readYaml(text, { file: `ConfigMap ${configMap}, resources` }).flatMap(({ value }) => {
    if (!isObject(value)) return [];
    const items = value["items"];
    return Array.isArray(items) ? items.filter(isObject) : [value];
  });
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether a plural resource name is a kind's, as Kubernetes guesses it. */
function isPluralOf(plural: string, kind: Json | undefined): boolean {
  const single = typeof kind === "string" ? kind.toLowerCase() : "";
  const guess = /(s|x|ch|sh)$/.test(single)
    ? `${single}es`
    : /[^aeiou]y$/.test(single)
      ? `${single.slice(0, -1)}ies`
      : `${single}s`;
  return single !== "" && (plural === guess || plural === single || plural === kind);
}

function selectorOf({ name = "", labelSelector }: DecisionGenerator): (resource: JsonObject) => boolean {
  const selects = labelSelector !== undefined && Object.keys(labelSelector).length > 0;
  if ((name === "") === !selects) {
    throw badInput("expected either name or labelSelector.", "Give one of the two.", "name");
  }
  const metadata = (resource: JsonObject) => (isObject(resource["metadata"]) ? resource["metadata"] : {});
  if (!selects) return (resource) => metadata(resource)["name"] === name;
  const matches = compileSelector(labelSelector, "labels");
  return (resource) => {
    const labels = metadata(resource)["labels"];
    return matches(
      new Map(
        Object.entries(isObject(labels) ? labels : {}).map(([key, value]) => [
          key,
          typeof value === "string" ? value : "",
        ]),
      ),
    );
  };
}

/** The decisions of a resource; one without a status has not decided yet. */
function listIn(resource: JsonObject, key: string): readonly Json[] {
  const { status } = resource;
  if (!isObject(status) || Object.keys(status).length === 0) return [];
  const list = status[key];
  if (Array.isArray(list)) return list;
  throw badInput(`status.${key} of a resource is no list.`, "Set statusListKey to the list's name.", "configMapRef");
}

function paramsOf(
  context: GenerateContext,
  given: {
    readonly decision: Json;
    readonly matchKey: string;
    readonly servers: ReadonlyMap<string, string>;
    readonly values: Readonly<Record<string, string>> | undefined;
  },
): Params | undefined {
  const { decision, matchKey, servers, values = {} } = given;
  if (!isObject(decision)) throw badInput("a decision is a map; something else was found.", "Mend the resource.");
  const name = decision[matchKey];
  if (typeof name !== "string" || name === "") return undefined;
  const server = servers.get(name);
  if (server === undefined) return undefined;
  const entries = new Map<string, Value>([
    ["name", name],
    ["server", server],
  ]);
  for (const [key, value] of Object.entries(decision)) {
    if (typeof value !== "string")
      throw badInput(`${JSON.stringify(key)} of a decision is no text.`, "Let the resource hold texts only.");
    entries.set(key, value);
  }
  // Alone of all generators, values are not templates here.
  if (context.goTemplate && Object.keys(values).length > 0)
    entries.set("values", new GoMap(new Map(Object.entries(values)), "string"));
  else for (const [key, value] of Object.entries(values)) entries.set(`values.${key}`, value);
  return new GoMap(entries);
}
