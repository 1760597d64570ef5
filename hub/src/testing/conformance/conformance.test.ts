import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { IncrementalGenerator } from "../../generators/incremental.ts";
import { TemplateEngine } from "../../template/engine.ts";
import { checkIsolating, checkRemembering } from "./check-set.ts";
import { isSetPair, type Pair, parsePair } from "./pair.ts";
import { checkPair, report, runPairs } from "./run.ts";

const engine = new TemplateEngine();
/** One for all pairs: many have the same name, so that each is a change of the one before. */
const memory = new IncrementalGenerator(engine);

function textOf(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}

function pairsOf(name: string): Pair[] {
  return textOf(name).trim().split("\n").map(parsePair);
}

for (const name of ["template.jsonl", "appset.jsonl", "more.jsonl"]) {
  for (const pair of pairsOf(name)) {
    test(`${pair.topic}: ${pair.id}`, () => {
      assert.equal(checkPair(engine, pair), undefined);
      if (!isSetPair(pair)) return;
      assert.equal(checkIsolating(engine, pair), undefined, "isolating");
      assert.equal(checkRemembering(engine, memory, pair), undefined, "remembering");
    });
  }
}

test("a pair that differs, or cannot be read, is a failure of its topic", () => {
  const one = { topic: "t", template: "{{ .a }}", params: { a: 1 }, goTemplate: true };
  const lines = [
    { ...one, id: "right", expect: { output: "1" } },
    { ...one, id: "wrong", expect: { output: "2" } },
    { ...one, id: "no-error", expect: { error: { class: "exec" } } },
    { id: "half" },
  ];
  const { text, failed } = report(
    runPairs(engine, [{ name: "f", text: lines.map((l) => JSON.stringify(l)).join("\n") }]),
  );
  assert.equal(failed, 3);
  assert.match(text, /^t {11}1 passed, 2 failed\n {2}wrong: expected "2", found "1"\n {2}no-error: expected an error/);
  assert.match(text, /\nunreadable {2}0 passed, 1 failed\n {2}f:4: is no pair/);
  assert.match(text, /\n1 passed, 3 failed\n$/);
});

test("a set's application that differs in one field is told with its path", () => {
  const pair = pairsOf("appset.jsonl").find((one) => isSetPair(one) && one.expect.applications.length > 0);
  assert(pair !== undefined && isSetPair(pair));
  const [first, ...rest] = pair.expect.applications;
  const changed = { ...first, spec: { ...(first?.["spec"] as object), project: "another" } };
  const expect = { ...pair.expect, applications: [changed, ...rest] };
  assert.match(checkPair(engine, { ...pair, expect }) ?? "", /\.spec\.project: expected "another", found "/);
});
