import type { JsonObject } from "../documents/model.ts";
import { valueText } from "../template/format.ts";
import { mergeApart, mergeMaps } from "../template/merge.ts";
import { GoMap, type Value } from "../template/value.ts";
import { badInput, type GenerateContext, type Params } from "./context.ts";

/** Runs a child over an element of the first child, or over nothing. */
export type RunChild = (child: JsonObject, path: string, over: Params | undefined) => readonly Params[];

export interface MatrixGenerator {
  readonly generators: readonly JsonObject[] | null;
}

/** Each element of the first child with each of the second, which may use the first's parameters. */
export function generateMatrix(
  context: GenerateContext,
  matrix: { readonly generator: MatrixGenerator; readonly path: string },
  run: RunChild,
): Params[] {
  const [first, second, ...more] = matrix.generator.generators ?? [];
  if (first === undefined || second === undefined || more.length > 0) {
    const count = matrix.generator.generators?.length ?? 0;
    throw badInput(
      `a matrix has exactly two generators, found ${count}.`,
      "Nest another matrix for a third.",
      "generators",
    );
  }
  const secondPath = `${matrix.path}.generators[1]`;
  const sets: Params[] = [];
  for (const left of run(first, `${matrix.path}.generators[0]`, undefined)) {
    try {
      for (const right of context.scoped(left, () => run(second, secondPath, left)))
        combine(context, { left, right, path: matrix.path }, sets);
    } catch (thrown) {
      context.fail(thrown, { generator: secondPath, step: "generator", element: left });
    }
  }
  return sets;
}

function combine(
  context: GenerateContext,
  pair: { readonly left: Params; readonly right: Params; readonly path: string },
  sets: Params[],
): void {
  context.countProduct(pair.path);
  try {
    const { left, right } = pair;
    const make = () => {
      if (!context.goTemplate) return flat(left, right);
      return context.memory === undefined ? deep(left, right) : mergeApart(right, left);
    };
    sets.push(context.memory?.product(left, right, make) ?? make());
  } catch (thrown) {
    context.fail(thrown, { generator: pair.path, step: "generator", element: pair.left });
  }
}

/** The first child wins. What both nest is merged in the second's maps, and the rest of the first's is shared. */
function deep(left: Params, right: Params): Params {
  const merged = new GoMap();
  mergeMaps(merged, right, true);
  mergeMaps(merged, left, true);
  return merged;
}

/** Without goTemplate all values are texts, and one key has one value. */
function flat(left: Params, right: Params): Params {
  const merged = new GoMap(
    new Map([...left.entries].map(([key, value]): [string, Value] => [key, valueText(value ?? null)])),
  );
  for (const [key, value] of right.entries) {
    const text = valueText(value ?? null);
    const known = merged.entries.get(key);
    if (known !== undefined && known !== text) {
      throw badInput(
        `both generators give ${JSON.stringify(key)}, with different values: ${JSON.stringify(known)} and ${JSON.stringify(text)}.`,
        "Rename one, or set pathParamPrefix on one git generator.",
      );
    }
    merged.entries.set(key, text);
  }
  return merged;
}
