import assert from "node:assert/strict";
import { test } from "node:test";
import { jqProblem } from "./jq.ts";

test("paths and choices of jq are understood, what might not end is not", () => {
  const fine = [
    ".spec.replicas",
    '.metadata.annotations["a/b"]',
    '.spec.template.spec.containers[] | select(.name == "proxy") | .image',
    ".webhooks[]?.clientConfig.caBundle",
    '.. | select(type == "object" and has("caBundle")) | .caBundle',
    '.spec.x, .["y-z"], .list[0:2], .a.select, .b // .c',
    'if .kind == "A" then .spec.a else .spec.b end',
    '.a | select(.b != null and (.c | startswith("x = $y")))',
  ];
  assert.deepEqual(
    fine.map(jqProblem),
    fine.map(() => undefined),
  );
  const problems: readonly (readonly [string, RegExp])[] = [
    [" ", /empty/],
    ["[repeat(.)]", /uses repeat/],
    ["recurse(.a)", /uses recurse/],
    ["def f: f; f", /uses def/],
    [".a | env", /uses env/],
    [".a | keys", /uses keys/],
    [".a = 1", /uses =/],
    [".a |= 1", /uses \|=/],
    ['.a | test("(x+)+")', /uses test/],
    [".a as $x | .b", /uses \$/],
    ['."\\(.a)"', /into texts/],
    [".. | .. | ..", /more than 2 times/],
    ["x".repeat(1001), /1000 characters/],
  ];
  for (const [expression, why] of problems) assert.match(jqProblem(expression) ?? "", why, expression);
});
