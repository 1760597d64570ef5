import assert from "node:assert/strict";
import { test } from "node:test";
import { aggregateHealth, sameHealth } from "./aggregate.ts";

test("a target is as well as its worst object, and names the first of these", () => {
  const ref = (name: string) => ({ group: "", kind: "Pod", namespace: "d", name });
  const health = aggregateHealth([
    [ref("a"), { status: "Healthy", message: "" }],
    [ref("b"), { status: "Progressing", message: "waiting" }],
    [ref("c"), { status: "Degraded", message: "broken" }],
    [ref("d"), { status: "Degraded", message: "also broken" }],
  ]);
  assert.equal(health.status, "Degraded");
  assert.equal(health.message, "Pod d/c: broken");
  assert.equal(health.counts.Degraded, 2);
  assert.equal(aggregateHealth([]).status, "Healthy");
  assert.equal(sameHealth(health, { ...health }), true);
  assert.equal(sameHealth(undefined, health), false);
});
