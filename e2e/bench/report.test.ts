import assert from "node:assert/strict";
import { test } from "node:test";
import { run } from "../world/process.ts";
import { atLeast, atMost, figure, quantile, rate } from "./bench.ts";
import { jsonLine, table } from "./report.ts";

const conditions = { cores: 2, cpu: "some", memoryGiB: 24, node: "v24", nats: "v2.15.2" };
const bars = [
  atMost(500, { name: "p50", value: 312.3456, unit: "ms" }),
  atMost(500, { name: "p99", value: 700, unit: "ms" }),
  atLeast(25, { name: "renders", value: 31, unit: "/s" }),
  figure({ name: "rss", value: 12, unit: "MiB" }),
];

test("the table shows each figure, its bar and whether it is met", () => {
  assert.equal(
    table("sample", bars, conditions),
    [
      "sample (2 cores, some, 24 GiB, Node v24, NATS v2.15.2)",
      "",
      "figure   value     bar",
      "p50      312.3 ms  ≤ 500 ms  met",
      "p99      700 ms    ≤ 500 ms  NOT MET",
      "renders  31 /s     ≥ 25 /s   met",
      "rss      12 MiB",
    ].join("\n"),
  );
});

test("the JSON line has bench, bars and conditions", () => {
  const line = JSON.parse(jsonLine("sample", bars, conditions));
  assert.deepEqual(Object.keys(line), ["bench", "bars", "conditions"]);
  assert.deepEqual(line.bars[1], { name: "p99", value: 700, unit: "ms", bar: 500, met: false });
});

test("quantiles are of the nearest rank, and a rate keeps its width", async () => {
  const values = Array.from({ length: 100 }, (_, index) => 100 - index);
  assert.deepEqual([quantile(values, 0.5), quantile(values, 0.99), quantile(values, 1)], [50, 99, 100]);
  let open = 0;
  let most = 0;
  await rate(50, 4, async () => {
    open += 1;
    most = Math.max(most, open);
    await new Promise(setImmediate);
    open -= 1;
  });
  assert.equal(most, 4);
});

test("without a name the benches are listed; an unknown one is wrong usage", async () => {
  const main = (...args: string[]) =>
    run({ name: "bench", binary: process.execPath, args: [`${import.meta.dirname}/main.ts`, ...args] });
  const listed = await main();
  assert.equal(listed.code, 0);
  assert.match(listed.stdout, /^floor +what a bare client/m);
  assert.equal((await main("none")).code, 64);
});
