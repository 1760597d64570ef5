import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { fromJson, GoMap, mapFromJson, type Value } from "../template/value.ts";
import { readYaml } from "../yaml/read.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";

export interface ListGenerator {
  readonly elements: readonly Json[] | null;
  readonly elementsYaml?: string;
}

/** Elements written in the set, or in a text that holds a YAML list. */
export function generateList(context: GenerateContext, generator: ListGenerator, path: string): Params[] {
  const sets: Params[] = [];
  const make = (element: Json): Params | undefined => {
    try {
      return context.goTemplate ? objectParams(element) : flatParams(element);
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator", element });
      return undefined;
    }
  };
  const elements = generator.elements ?? [];
  const made =
    context.memory?.recallList(context.placeOf(path), elements, (element) => make(element as Json)) ??
    elements.map(make);
  sets.push(...made.filter((params) => params !== undefined));
  if (generator.elementsYaml !== undefined && generator.elementsYaml !== "") {
    try {
      const { elementsYaml } = generator;
      sets.push(...context.recall(context.placeOf(path, "yaml"), [elementsYaml], () => yamlElements(elementsYaml)));
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator" });
    }
  }
  return sets;
}

function isObject(value: Json): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function objectParams(element: Json): Params {
  if (element === null) return new GoMap();
  if (!isObject(element))
    throw badInput("a list element is a map; something else was found.", "Write elements as maps.", "elements");
  return mapFromJson(element);
}

/** Without goTemplate every value is a text; `values` holds more of them. */
function flatParams(element: Json): Params {
  const params = new GoMap();
  if (element === null) return params;
  if (!isObject(element))
    throw badInput("a list element is a map; something else was found.", "Write elements as maps.", "elements");
  for (const [key, value] of Object.entries(element)) {
    if (key !== "values") {
      params.entries.set(key, flatText(key, value));
      continue;
    }
    if (!isObject(value))
      throw badInput("values of a list element is a map of texts.", "Write it as a map.", "elements.values");
    for (const [name, text] of Object.entries(value))
      params.entries.set(`values.${name}`, flatText(`values.${name}`, text));
  }
  return params;
}

function flatText(key: string, value: Json): string {
  if (typeof value === "string") return value;
  throw badInput(
    `without goTemplate each value of a list element is text; ${key} is not.`,
    "Put it in quotes, or set goTemplate: true.",
    `elements.${key}`,
  );
}

function yamlElements(text: string): Params[] {
  const value = parseYaml(text);
  if (value === null) return [];
  if (!Array.isArray(value))
    throw badInput("elementsYaml is a YAML list; something else was found.", "Write a list of maps.", "elementsYaml");
  return value.map((item: Json): Params => {
    if (item === null) return new GoMap();
    const made: Value = fromJson(item);
    if (!(made instanceof GoMap))
      throw badInput(
        "each item of elementsYaml is a map; something else was found.",
        "Write a list of maps.",
        "elementsYaml",
      );
    return made;
  });
}

function parseYaml(text: string): Json {
  try {
    return readYaml(text, { file: "elementsYaml", keys: "argo" })[0]?.value ?? null;
  } catch (thrown) {
    throw Fault.from(thrown).at({ field: "elementsYaml" });
  }
}
