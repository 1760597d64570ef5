import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Json } from "../yaml/json.ts";
import { TemplateEngine, TemplateFault } from "./engine.ts";
import { GoList, GoMap, mapFromJson, type Value } from "./value.ts";

interface Case {
  readonly id: string;
  readonly topic: string;
  readonly template: string;
  readonly params: { readonly [key: string]: Json };
  readonly goTemplate: boolean;
  readonly options?: readonly string[];
  readonly typed?: Readonly<Record<string, "stringMap" | "stringList">>;
  readonly expect: { readonly output?: string; readonly error?: { readonly class: string; readonly text: string } };
}

function withTypes(params: GoMap, typed: Case["typed"]): GoMap {
  for (const path of Object.keys(typed ?? {})) {
    const keys = path.split(".");
    const last = keys.pop() ?? "";
    let map = params;
    for (const key of keys) map = map.entries.get(key) as GoMap;
    const value = map.entries.get(last);
    const made: Value =
      value instanceof GoMap
        ? new GoMap(value.entries, "string")
        : value instanceof GoList
          ? new GoList(value.items, "string")
          : value;
    map.entries.set(last, made);
  }
  return params;
}

const classes: Readonly<Record<string, string>> = {
  parse: "parse",
  exec: "exec",
  fasttemplate: "fasttemplate",
  option: "panic",
};
const engine = new TemplateEngine({ now: () => 0 });

const lines = readFileSync(new URL("testdata/template.jsonl", import.meta.url), "utf8")
  .trim()
  .split("\n");
for (const line of lines) {
  const one: Case = JSON.parse(line);
  test(`${one.topic}: ${one.id}`, () => {
    const params = withTypes(mapFromJson(one.params), one.typed);
    const render = () =>
      engine.render(one.template, params, { goTemplate: one.goTemplate, options: one.options ?? [] });
    const expected = one.expect.error;
    if (expected === undefined) {
      assert.equal(render(), one.expect.output);
      return;
    }
    assert.throws(render, (thrown) => {
      assert(thrown instanceof TemplateFault, String(thrown));
      assert.equal(classes[thrown.stage], expected.class, `${thrown.message} — ${expected.text}`);
      assert(thrown.where.line !== undefined && thrown.where.column !== undefined);
      return true;
    });
  });
}
