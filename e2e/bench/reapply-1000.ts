import { atMost, type Bench, figure } from "./bench.ts";
import { knob } from "./fleet.ts";
import { since, Thousand } from "./thousand.ts";

/** A new generation of all targets with the content that stands there already. */
export const bench: Bench = {
  summary: "the same 1,000 targets again under a new generation: nothing is written",
  built: true,
  async run(context) {
    await using thousand = await Thousand.start(context);
    const first = await thousand.apply();
    context.say(`reapply-1000: applied after ${first.toFixed(1)} s; a moment's rest`);
    await new Promise((resolve) => setTimeout(resolve, knob("REST_SECONDS", 10) * 1_000));
    const before = await thousand.asked();
    const { value: seconds, cpu } = await thousand.watchUse(() => thousand.reapply());
    const { writes, requests, bookkeeping } = since(before, await thousand.asked());
    return [
      atMost(0, { name: "writes to managed objects", value: writes, unit: "requests" }),
      atMost(0, { name: "requests for managed objects", value: requests, unit: "requests" }),
      atMost(3, { name: "all reported applied", value: seconds, unit: "s" }),
      figure({ name: "writes of the agent's books", value: bookkeeping, unit: "requests" }),
      figure({ name: "agent CPU", value: cpu, unit: "s" }),
    ];
  },
};
