import process from "node:process";
import { run } from "../world/process.ts";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { knob } from "./fleet.ts";

/** Milliseconds of each plan by the clock and by the processor, and bytes. */
interface Printed {
  readonly took: readonly number[];
  readonly worked: readonly number[];
  readonly rss: number;
}

/** The planner alone, in a process of its own: the hub's own program for it. */
export const bench: Bench = {
  summary: "a plan of one lane with 1,000 clusters of 200 targets, by a strategy with canaries and groups",
  async run() {
    const clusters = knob("CLUSTERS", 1_000);
    const targets = knob("TARGETS", 200);
    const program = `${import.meta.dirname}/../../hub/src/testing/plan-bench/main.ts`;
    const { stdout, stderr, code } = await run({
      name: "plan",
      binary: process.execPath,
      args: [program, String(clusters), String(targets)],
      bound: 120_000,
    });
    if (code !== 0) throw new Error(stderr);
    const { took, worked, rss } = JSON.parse(stdout) as Printed;
    return [
      atMost(500, { name: "a plan, median", value: quantile(took, 0.5), unit: "ms" }),
      figure({ name: "the first, cold", value: took[0] ?? Number.NaN, unit: "ms" }),
      figure({ name: "processor time of one, median", value: quantile(worked, 0.5), unit: "ms" }),
      figure({ name: "RSS with both releases in memory", value: rss / 2 ** 20, unit: "MiB" }),
    ];
  },
};
