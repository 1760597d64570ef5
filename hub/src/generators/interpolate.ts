import { generatorShape, nestedMatrixShape, nestedMergeShape } from "../documents/application-set-shape.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import { pointer, type StructShape } from "../documents/shape.ts";
import { TemplateFault } from "../template/engine.ts";
import type { GenerateContext, Params } from "./context.ts";
import { type Compiled, compileValue, type FieldRules, type RenderText } from "./rendering.ts";

/** A child generator whose nested matrix and merge have been read. */
export const childShape: StructShape = {
  kind: "struct",
  fields: new Map([
    ...generatorShape.fields,
    ["matrix", pointer(nestedMatrixShape)],
    ["merge", pointer(nestedMergeShape)],
  ]),
};

const compiled = new WeakMap<JsonObject, Compiled>();

/**
 * Puts the parameters of a matrix's first child into its second. `values` are rendered with missing keys as errors; one
 * that lacks a key stays as it is, for the child's own pass. Empty parameters change nothing. Throws TemplateFault.
 */
export function interpolate(context: GenerateContext, generator: JsonObject, params: Params): JsonObject {
  if (params.entries.size === 0) return generator;
  let render = compiled.get(generator);
  if (render === undefined) {
    render = compileValue(childShape, generator, { path: [], rules: valuesRule });
    compiled.set(generator, render);
  }
  const texts: StrictRender = Object.assign((text: string) => context.render(text, params), {
    strict: (text: string) => context.render(text, params, strictOptions(context)),
  });
  const rendered = render(texts) as JsonObject;
  context.checkOptions(params);
  return rendered;
}

/** A renderer that can also take missing keys as errors. */
interface StrictRender extends RenderText {
  readonly strict: RenderText;
}

function strictOptions(context: GenerateContext): readonly string[] {
  const options = context.input.set.spec.goTemplateOptions ?? [];
  return [...options.filter((option) => !option.startsWith("missingkey=")), "missingkey=error"];
}

// `values` belongs to clusters, git and the generators that ask the outside; a list's values are free JSON.
const valuesRule: FieldRules = (struct, name, value) => {
  if (name !== "values" || struct.fields.get(name)?.shape.kind !== "map") return undefined;
  const entries = Object.entries(value as Readonly<Record<string, string>>);
  return (render) =>
    Object.fromEntries(entries.map(([key, text]): [string, Json] => [key, resolve(render as StrictRender, text)]));
};

function resolve(render: StrictRender, text: string): string {
  try {
    return render.strict(text);
  } catch (thrown) {
    if (thrown instanceof TemplateFault && thrown.missingKey) return text;
    throw thrown;
  }
}
