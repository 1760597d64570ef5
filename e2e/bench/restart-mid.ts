import { until } from "../world/wait.ts";
import { atMost, type Bench, figure } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, joinAll } from "./herd.ts";
import { newest, settings, stagedSet, untilState } from "./moving.ts";

/** The hub is killed in the middle of a run and started again; times count from the start of the new one. */
export const bench: Bench = {
  summary: "hub killed in a run over 1,000 agents: how soon the next cluster is sent out",
  async run(context) {
    const spec = '{stableFor: 1s, stages: [{name: all, maxConcurrency: "5%"}]}';
    await using fleet = await BenchFleet.start({
      context,
      clusters: knob("CLUSTERS", 1_000),
      files: (repoURL) => ({ ...stagedSet(repoURL, spec), [settings]: configMap("settings", "0") }),
    });
    const { herd } = await joinAll(fleet, context);
    const { id } = await untilState(fleet, { before: "", state: "Succeeded", bound: 300_000 });
    const taken = new Map<string, number>();
    const stop = herd.onHeld((cluster) => taken.set(cluster, (taken.get(cluster) ?? 0) + 1));
    await fleet.repository.write({ [settings]: configMap("settings", "1") });
    await fleet.repository.commit("A change");
    await fleet.push(() => undefined);
    const third = Math.ceil(herd.size / 3);
    await until("a third of the fleet", () => taken.size >= third, 300_000);
    await fleet.hub.kill();
    const before = taken.size;
    const began = performance.now();
    const since = () => (performance.now() - began) / 1_000;
    await fleet.hub.restart();
    const ready = since();
    await until("the next dispatch", () => taken.size > before, 120_000);
    const first = since();
    await untilState(fleet, { before: id, state: "Succeeded", bound: 600_000 });
    const whole = since();
    stop();
    expectSound(herd);
    const twice = [...taken.values()].filter((times) => times > 1).length;
    if (twice > 0) throw new Error(`${twice} clusters were sent out twice`);
    const { stages } = await newest(fleet);
    const done = stages.flatMap(({ clusters }) => clusters).filter(({ state }) => state === "Done").length;
    if (done !== herd.size) throw new Error(`${done} of ${herd.size} clusters are done`);
    return [
      atMost(10, { name: "first new dispatch after the start", value: first, unit: "s" }),
      figure({ name: "hub ready", value: ready, unit: "s" }),
      figure({ name: "clusters sent out before the kill", value: before, unit: "" }),
      figure({ name: "the run has ended", value: whole, unit: "s" }),
    ];
  },
};
