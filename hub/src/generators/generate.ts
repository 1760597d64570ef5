import type { JsonObject } from "../documents/model.ts";
import type { TemplateEngine } from "../template/engine.ts";
import { toPlain } from "../template/value.ts";
import { type ApplicationTemplate, applicationTemplate, renderApplication } from "./application.ts";
import { conditionsOf } from "./conditions.ts";
import { GenerateContext, type Params, StopGenerator } from "./context.ts";
import { changesParams, type SetMemory, tabled } from "./memory.ts";
import type { GeneratedApplication, GenerateInput, GenerateResult, Trace } from "./model.ts";
import { type Generated, kindsOf, transform } from "./transform.ts";
import { unknownGenerator } from "./unknown.ts";
import { validateAll } from "./validate.ts";

/**
 * Turns an ApplicationSet into its applications: pure, over what has been loaded. Where something is missing it says so
 * in `needs`; the caller loads it and calls again. Never throws for what people wrote. With a memory of the set only what
 * depends on a change is made anew.
 */
export function generate(engine: TemplateEngine, input: GenerateInput, memory?: SetMemory): GenerateResult {
  const remembered = memory !== undefined && !changesParams(input) ? memory : undefined;
  remembered?.begin(input);
  const context = new GenerateContext(engine, input, remembered);
  const generated: GeneratedApplication[] = [];
  for (const [index, entry] of input.set.spec.generators.entries()) {
    try {
      for (const result of runEntry(context, entry, `generators[${index}]`))
        renderAll(context, { entry, result }, generated);
    } catch (thrown) {
      if (!(thrown instanceof StopGenerator)) throw thrown;
    }
  }
  return resultOf(context, generated);
}

function runEntry(context: GenerateContext, entry: JsonObject, path: string): readonly Generated[] {
  if (kindsOf(entry).length === 0) {
    context.fail(unknownGenerator(context.input.set, path), { generator: path, step: "generator" });
    return [];
  }
  try {
    return transform(context, entry, { path });
  } catch (thrown) {
    context.fail(thrown, { generator: path, step: "generator" });
    return [];
  }
}

function renderAll(
  context: GenerateContext,
  given: { readonly entry: JsonObject; readonly result: Generated },
  into: GeneratedApplication[],
): void {
  const { kind, path, sets } = given.result;
  const own = (given.entry[kind] as JsonObject | undefined)?.["template"] as JsonObject | undefined;
  const template: ApplicationTemplate = applicationTemplate(context.input.set.spec.template, own);
  const known = context.memory?.table<GeneratedApplication>(`${path}\nrender`, own);
  for (const params of sets) {
    try {
      const render = () => ({
        application: renderApplication(context, template, params),
        trace: new ElementTrace(path, params),
      });
      into.push(tabled(known, params, render));
    } catch (thrown) {
      context.fail(thrown, { generator: path, step: "render", element: params });
    }
  }
}

/** Keeps the parameters as they are until somebody asks. */
class ElementTrace implements Trace {
  readonly generator: string;
  readonly #params: Params;
  #element: JsonObject | undefined;

  constructor(generator: string, params: Params) {
    this.generator = generator;
    this.#params = params;
  }

  get element(): JsonObject {
    this.#element ??= toPlain(this.#params) as JsonObject;
    return this.#element;
  }
}

function resultOf(context: GenerateContext, generated: readonly GeneratedApplication[]): GenerateResult {
  const { accepted, rejected } = validateAll(context.input, generated);
  // An application without a name may be any that runs: then nothing may be removed.
  const complete = context.complete && !rejected.some(({ rejection }) => rejection === "no-name");
  const stops =
    context.input.compat === "strict" && context.faults.some(({ fault }) => fault.code !== "unknown-generator");
  const changes = context.memory?.end(generated, context.needs.size + context.listingNeeds.size === 0);
  return {
    ...(changes === undefined ? {} : { changes }),
    applications: stops ? [] : accepted,
    rejected: stops ? [] : rejected,
    heldNames: [...new Set(rejected.map(({ application }) => application.metadata.name).filter((name) => name !== ""))],
    faults: context.faults,
    needs: [...context.needs.values()],
    listingNeeds: [...context.listingNeeds.values()],
    complete,
    empty: complete && generated.length === 0,
    conditions: conditionsOf(context.faults, rejected, changes),
  };
}
