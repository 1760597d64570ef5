import assert from "node:assert/strict";
import { test } from "node:test";
import { generous } from "./patience.ts";

test("a bound grows by the factor of the environment, and never shrinks", (context) => {
  const before = process.env["CAPSTAN_PATIENCE"];
  context.after(() => {
    if (before === undefined) delete process.env["CAPSTAN_PATIENCE"];
    else process.env["CAPSTAN_PATIENCE"] = before;
  });
  for (const [factor, bound] of [
    ["4", 400],
    ["1.5", 150],
    ["0.1", 100],
    ["much", 100],
    ["", 100],
  ] as const) {
    process.env["CAPSTAN_PATIENCE"] = factor;
    assert.equal(generous(100), bound, factor);
  }
  delete process.env["CAPSTAN_PATIENCE"];
  assert.equal(generous(100), 100);
});
