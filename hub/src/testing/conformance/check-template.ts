import { type TemplateEngine, TemplateFault, type TemplateStage } from "../../template/engine.ts";
import { GoList, GoMap, mapFromJson, type Value } from "../../template/value.ts";
import type { TemplatePair } from "./pair.ts";

/** Argo CD panics on an option that it does not know. */
const classOf: Readonly<Record<TemplateStage, string>> = {
  parse: "parse",
  exec: "exec",
  fasttemplate: "fasttemplate",
  option: "panic",
};

/** What is wrong with our answer to one template; undefined: nothing. */
export function checkTemplate(engine: TemplateEngine, pair: TemplatePair): string | undefined {
  const { expect } = pair;
  const answer = answerOf(engine, pair);
  if ("output" in expect) {
    if ("output" in answer && answer.output === expect.output) return undefined;
    return `expected ${JSON.stringify(expect.output)}, found ${shown(answer)}`;
  }
  if ("fault" in answer && classOf[answer.fault.stage] === expect.error.class) {
    const { line, column } = answer.fault.where;
    return line === undefined || column === undefined ? `the fault has no place: ${answer.fault.message}` : undefined;
  }
  return `expected an error of class ${expect.error.class} (${expect.error.text ?? ""}), found ${shown(answer)}`;
}

type Answer = { readonly output: string } | { readonly fault: TemplateFault };

function answerOf(engine: TemplateEngine, pair: TemplatePair): Answer {
  const mode = { goTemplate: pair.goTemplate, options: pair.options ?? [] };
  try {
    return { output: engine.render(pair.template, withTypes(mapFromJson(pair.params), pair.typed), mode) };
  } catch (thrown) {
    if (thrown instanceof TemplateFault) return { fault: thrown };
    throw thrown;
  }
}

function shown(answer: Answer): string {
  if ("output" in answer) return JSON.stringify(answer.output);
  return `a fault of class ${classOf[answer.fault.stage]}: ${answer.fault.message}`;
}

function withTypes(params: GoMap, typed: TemplatePair["typed"]): GoMap {
  for (const path of Object.keys(typed ?? {})) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let map = params;
    for (const key of keys) {
      const next = map.entries.get(key);
      if (!(next instanceof GoMap)) throw new Error(`there is no map at ${key} of ${path}`);
      map = next;
    }
    map.entries.set(last, retyped(map.entries.get(last)));
  }
  return params;
}

function retyped(value: Value): Value {
  if (value instanceof GoMap) return new GoMap(value.entries, "string");
  return value instanceof GoList ? new GoList(value.items, "string") : value;
}
