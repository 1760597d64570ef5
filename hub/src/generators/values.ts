import { GoMap, type Value } from "../template/value.ts";
import type { GenerateContext, Params } from "./context.ts";
import { renderAt } from "./rendering.ts";

/** Adds a generator's `values` to an element: each is rendered over the element alone. Throws TemplateFault. */
export function appendValues(
  context: GenerateContext,
  values: Readonly<Record<string, string>> | undefined,
  params: Params,
): void {
  const entries = Object.entries(values ?? {});
  if (entries.length === 0) return;
  const rendered = entries.map(([key, text]): [string, Value] => [
    key,
    renderAt((each) => context.render(each, params), text, ["values", key]),
  ]);
  if (context.goTemplate) {
    params.entries.set("values", new GoMap(new Map(rendered), "string"));
    return;
  }
  for (const [key, value] of rendered) params.entries.set(`values.${key}`, value);
}
