import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault, type TargetKey } from "@capstan/proto";
import { blankStatus } from "../targets/status.ts";
import { foldReport } from "./fold.ts";
import type { TargetStatus } from "./model.ts";
import { withSince } from "./problems.ts";

const blank = blankStatus("ns/shop" as TargetKey);
const failed = (message: string): TargetStatus["problem"] => new Fault("cluster-refused", { message });
const sinceOf = (status: TargetStatus) => foldReport(status).problems.map(({ since }) => Number(since?.seconds));

test("a problem is told with the time at which it was first seen, also while it is tried again", () => {
  const first = withSince({ ...blank, phase: "Failed", problem: failed("try 1") }, 5_000);
  assert.deepEqual(sinceOf(first), [5]);
  const trying = withSince({ ...first, phase: "Applying", problem: undefined }, 6_000);
  const second = withSince({ ...trying, phase: "Failed", problem: failed("try 2") }, 7_000);
  assert.deepEqual(sinceOf(second), [5]);
  const over = withSince({ ...second, phase: "Settling", problem: undefined }, 8_000);
  assert.equal(over.since.size, 0);
  const later = withSince({ ...over, phase: "Failed", problem: failed("anew") }, 9_000);
  assert.deepEqual(sinceOf(later), [9]);
});

test("drift is told as a JSON pointer, without any value", () => {
  const ref = { group: "", kind: "ConfigMap", namespace: "ns", name: "x" };
  const differences = [
    { path: "spec.list[name=a].v", pointer: "/spec/list/0/v", live: '"mine"', wanted: '"1"', manager: "kubectl" },
  ];
  const findings = new Map([["/ConfigMap/ns/x", { ref, action: "different" as const, differences }]]);
  const [drift] = foldReport({ ...blank, findings }).drift;
  assert.equal(drift?.path, "/spec/list/0/v");
  assert.equal(drift?.object, "/ConfigMap/ns/x");
  assert.ok(!JSON.stringify(drift).includes("mine"));
});
