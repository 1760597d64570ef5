import assert from "node:assert/strict";
import { test } from "node:test";
import { sweep } from "./sweep.ts";

const look = (now: number, marks: ReadonlyMap<string, number>, named: readonly string[] = []) =>
  sweep({ now, stored: [{ hex: "a", storedAt: 0 }], named: new Set(named), marks, graceMs: 100 });

test("what nobody names is marked, and goes when it is still so after the grace", () => {
  const first = look(1000, new Map());
  assert.deepEqual(first, { drop: [], marks: new Map([["a", 1000]]) });
  assert.deepEqual(look(1050, first.marks), { drop: [], marks: new Map([["a", 1000]]) });
  assert.deepEqual(look(1100, first.marks).drop, ["a"]);
});

test("what was named in between, or stored anew, waits for the grace again", () => {
  const { marks } = look(1050, look(1000, new Map()).marks, ["a"]);
  assert.equal(marks.size, 0);
  assert.deepEqual(look(2000, marks).drop, []);
  const again = sweep({
    now: 1100,
    stored: [{ hex: "a", storedAt: 1090 }],
    named: new Set(),
    marks: new Map([["a", 1000]]),
    graceMs: 100,
  });
  assert.deepEqual(again.drop, []);
});
