import assert from "node:assert/strict";
import { test } from "node:test";
import { Lru } from "./lru.ts";

test("holds at most its weight, and lets go of what was not used for longest", () => {
  const lru = new Lru<number>(3);
  lru.set("a", 1);
  lru.set("b", 2);
  lru.set("c", 3);
  assert.equal(lru.get("a"), 1);
  lru.set("d", 4);
  assert.deepEqual(
    ["a", "b", "c", "d"].map((key) => lru.get(key)),
    [1, undefined, 3, 4],
  );
  lru.set("c", 5, 2);
  assert.deepEqual(
    ["a", "c", "d"].map((key) => lru.get(key)),
    [undefined, 5, 4],
  );
  lru.set("heavy", 6, 4);
  assert.deepEqual(
    ["c", "d", "heavy"].map((key) => lru.get(key)),
    [undefined, undefined, undefined],
  );
});
