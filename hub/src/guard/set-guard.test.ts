import assert from "node:assert/strict";
import { test } from "node:test";
import { setGuardOf } from "./set-guard.ts";

const of = (limit: string) => setGuardOf({ "capstan.dev/deletion-limit": limit });

test("a set's own limit is a count, a share, or both", () => {
  assert.deepEqual(of("3").guard, { limit: { count: 3, percent: 0 } });
  assert.deepEqual(of("25%").guard, { limit: { count: 0, percent: 25 } });
  assert.deepEqual(of(" 2 , 25% ").guard, { limit: { count: 2, percent: 25 } });
  assert.deepEqual(of("0").guard, { limit: { count: 0, percent: 0 } });
  assert.equal(setGuardOf({}).guard, undefined);
  assert.deepEqual(setGuardOf({ "capstan.dev/ephemeral": "true" }).guard, { ephemeral: true });
});

test("a limit that cannot be read leaves the fleet's, and says so", () => {
  for (const text of ["", "many", "-1", "1,2", "5%,6%", "101%", "1.5", "3;25%"]) {
    const { guard, fault } = of(text);
    assert.equal(guard, undefined, text);
    assert.equal(fault?.code, "bad-input", text);
  }
});
