import { atMost, type Bench, figure } from "./bench.ts";
import { knob } from "./fleet.ts";
import { since, Thousand } from "./thousand.ts";

/** An agent that has nothing to do. */
export const bench: Bench = {
  summary: "1,000 targets at rest for 10 minutes (--quick: one): CPU, lists",
  built: true,
  async run(context) {
    await using thousand = await Thousand.start(context);
    const first = await thousand.apply();
    const seconds = knob("SECONDS", context.quick ? 60 : 600);
    context.say(`idle: applied after ${first.toFixed(1)} s; at rest for ${seconds} s`);
    await new Promise((resolve) => setTimeout(resolve, knob("REST_SECONDS", 10) * 1_000));
    const before = await thousand.asked();
    const { cpu, rss } = await thousand.watchUse(() => new Promise((resolve) => setTimeout(resolve, seconds * 1_000)));
    const { lists, requests } = since(before, await thousand.asked());
    return [
      atMost(1, { name: "agent CPU at rest", value: (cpu * 100) / seconds, unit: "% of a core" }),
      atMost(0, { name: "list requests", value: lists, unit: "requests" }),
      figure({ name: "requests for managed objects", value: requests, unit: "requests" }),
      figure({ name: "agent RSS, most", value: rss / 2 ** 20, unit: "MiB" }),
    ];
  },
};
