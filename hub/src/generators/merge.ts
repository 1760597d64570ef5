import type { JsonObject } from "../documents/model.ts";
import { encodeJson } from "../template/json.ts";
import { mergeApart, mergeMaps } from "../template/merge.ts";
import { GoMap, type Value } from "../template/value.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";
import type { RunChild } from "./matrix.ts";

export interface MergeGenerator {
  readonly generators: readonly JsonObject[] | null;
  readonly mergeKeys: readonly string[] | null;
}

/** The first child's elements, overridden by those of later children that agree with them in the merge keys. */
export function generateMerge(
  context: GenerateContext,
  merge: { readonly generator: MergeGenerator; readonly path: string },
  run: RunChild,
): Params[] {
  const { generator, path } = merge;
  const children = generator.generators ?? [];
  if (children.length < 2) {
    throw badInput(
      `a merge has at least two generators, found ${children.length}.`,
      "Add the generator to merge with.",
      "generators",
    );
  }
  const keys = [...new Set(generator.mergeKeys ?? [])];
  const sets = children.map((child, index) => run(child, `${path}.generators[${index}]`, undefined));
  if (keys.length === 0)
    throw badInput("a merge needs mergeKeys.", "Name the parameters that pair the elements.", "mergeKeys");
  const [base, ...others] = sets.map((elements, index) =>
    byKey(context, { keys, elements, path: `${path}.generators[${index}]` }),
  );
  if (base === undefined) return [];
  for (const other of others) {
    for (const [key, params] of base) {
      const overrides = other.get(key);
      if (overrides !== undefined) base.set(key, override(context, { params, overrides, path }));
    }
  }
  return [...base.values()];
}

function override(
  context: GenerateContext,
  pair: { readonly params: Params; readonly overrides: Params; readonly path: string },
): Params {
  const { params, overrides } = pair;
  try {
    if (!context.goTemplate) {
      const make = () => new GoMap(new Map([...params.entries, ...overrides.entries]));
      return context.memory?.product(params, overrides, make) ?? make();
    }
    if (context.memory !== undefined)
      return context.memory.product(params, overrides, () => mergeApart(params, overrides));
    mergeMaps(params, overrides, true);
  } catch (thrown) {
    context.fail(thrown, { generator: pair.path, step: "generator", element: params });
  }
  return params;
}

/** Elements by the JSON of their merge keys; a missing key counts as null. */
function byKey(
  context: GenerateContext,
  given: { readonly keys: readonly string[]; readonly elements: readonly Params[]; readonly path: string },
): Map<string, Params> {
  const found = new Map<string, Params>();
  for (const params of given.elements) {
    const key = encodeJson(
      new GoMap(new Map(given.keys.map((name): [string, Value] => [name, params.entries.get(name) ?? null]))),
      { escapeHtml: true, indent: 0 },
    );
    if (found.has(key)) {
      const fault = badInput(
        `two elements have the same merge keys: ${key}.`,
        "Choose merge keys that tell all elements apart.",
        "mergeKeys",
      );
      context.fail(fault, { generator: given.path, step: "generator", element: params });
      continue;
    }
    found.set(key, params);
  }
  return found;
}
