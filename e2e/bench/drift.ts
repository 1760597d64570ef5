import { until } from "../world/wait.ts";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { knob } from "./fleet.ts";
import { Thousand, targets } from "./thousand.ts";

/** Somebody edits one object of many; how long until it is as it was. */
export const bench: Bench = {
  summary: "one of 4,000 objects edited by hand, until it is healed",
  built: true,
  async run(context) {
    await using thousand = await Thousand.start(context);
    const first = await thousand.apply();
    context.say(`drift: applied after ${first.toFixed(1)} s`);
    const { client } = thousand.cluster;
    const times: number[] = [];
    const rounds = knob("ROUNDS", context.quick ? 30 : 200);
    for (let round = 0; round < rounds; round += 1) {
      context.signal.throwIfAborted();
      // Each object once: corrections of one and the same are damped.
      const path = `/api/v1/namespaces/apps/configmaps/app${(round * 7) % targets()}`;
      await client.merge(path, { data: { key: `edited ${round}` } }, "kubectl-edit");
      const edited = performance.now();
      const value = async () => ((await client.get(path))?.["data"] as { readonly key?: string } | undefined)?.key;
      await until("the object as it was", async () => (await value()) === "value", { bound: 60_000, every: 10 });
      times.push(performance.now() - edited);
    }
    return [
      atMost(1_000, { name: "healed, p99", value: quantile(times, 0.99), unit: "ms" }),
      figure({ name: "healed, p50", value: quantile(times, 0.5), unit: "ms" }),
      figure({ name: "healed, slowest", value: quantile(times, 1), unit: "ms" }),
    ];
  },
};
