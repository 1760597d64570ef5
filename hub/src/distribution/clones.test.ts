import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId } from "@capstan/proto";
import { type Boots, clones, heard } from "./clones.ts";

const a = "a" as ClusterId;
const minute = 60_000;

function after(...boots: readonly string[]): Boots | undefined {
  return boots.reduce<Boots | undefined>((known, boot, at) => heard(known, boot, at * 1000), undefined);
}

test("an agent that restarts, or comes back after its link broke, is one", () => {
  assert.equal(clones(a, after("1"), 0), undefined);
  assert.equal(clones(a, after("1", "1", "1"), 0), undefined);
  assert.equal(clones(a, after("1", "2", "3", "3", "4"), 0), undefined);
});

test("two that speak in turn are named, until they no longer do", () => {
  const boots = after("1", "2", "1");
  assert.match(clones(a, boots, 2000)?.message ?? "", /boots 1 and 2/);
  assert.equal(clones(a, boots, 2000)?.code, "conflict");
  assert.equal(clones(a, heard(boots, "3", 3000), 20 * minute), undefined);
  assert.notEqual(clones(a, heard(heard(boots, "3", 3000), "2", 19 * minute), 20 * minute), undefined);
});
