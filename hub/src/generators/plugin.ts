import type { Json, JsonObject } from "../documents/model.ts";
import { fromJson, GoMap, mapFromJson } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import { flatten } from "./flatten.ts";
import { type AskingGenerator, askedOf, everySeconds, listingOf } from "./listing.ts";
import { appendValues } from "./values.ts";

/** `plugin` of a set. */
export interface PluginGenerator extends AskingGenerator {
  readonly input?: { readonly parameters?: Readonly<Record<string, Json>> };
}

/** One element for each set of parameters that the plugin answers. */
export function generatePlugin(context: GenerateContext, generator: PluginGenerator, path: string): Params[] {
  const { namespace, name } = context.input.set.metadata;
  const listing = listingOf(
    context,
    { kind: "plugin", namespace, set: name, everySeconds: everySeconds(generator), spec: askedOf(generator) },
    path,
  );
  const sets: Params[] = [];
  for (const item of listing?.items ?? []) {
    const params = paramsOf(item, generator, context.goTemplate);
    try {
      appendValues(context, generator.values, params);
      sets.push(params);
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "generator", element: params });
    }
  }
  return sets;
}

function paramsOf(item: JsonObject, { input }: PluginGenerator, goTemplate: boolean): Params {
  const content = mapFromJson(item);
  const params = goTemplate ? content : new GoMap(flatten(content));
  const parameters = (input?.parameters ?? {}) as JsonObject;
  params.entries.set("generator", fromJson({ input: { parameters } }));
  return params;
}
