import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, heldAfter, joinAll } from "./herd.ts";
import { newest, settings, stagedSet, untilState } from "./moving.ts";

/** Three stages by name, nothing to wait for but the agents: all that is measured is Capstan's own time. */
function spec(clusters: readonly string[]): string {
  const third = Math.ceil(clusters.length / 3);
  const names = (from: number) => JSON.stringify(clusters.slice(from, from + third));
  return `{stableFor: 0s, stages: [{name: one, select: {clusters: ${names(0)}}}, {name: two, select: {clusters: ${names(third)}}}, {name: three}]}`;
}

/** From the push to the end of a run over three stages; agents are healthy at once. */
export const bench: Bench = {
  summary: "a run of 3 stages over 100 agents that apply in no time: from the push to its end",
  async run(context) {
    const count = knob("CLUSTERS", 100);
    const ids = Array.from({ length: count }, (_, index) => `c${String(index).padStart(4, "0")}`);
    await using fleet = await BenchFleet.start({
      context,
      clusters: count,
      files: (repoURL) => ({ ...stagedSet(repoURL, spec(ids)), [settings]: configMap("settings", "0") }),
    });
    // Agents pace their reports as real ones do: what that costs a run counts.
    const { herd } = await joinAll(fleet, context);
    const first = await untilState(fleet, { before: "", state: "Succeeded", bound: 120_000 });
    const ends: number[] = [];
    let before = first.id;
    for (let round = 1; round <= knob("ROUNDS", 3); round += 1) {
      const began = performance.now();
      await heldAfter(fleet, herd, { files: { [settings]: configMap("settings", String(round)) }, clusters: ids });
      const { id } = await untilState(fleet, { before, state: "Succeeded", bound: 120_000 });
      ends.push((performance.now() - began) / 1_000);
      before = id;
    }
    expectSound(herd);
    const { stages } = await newest(fleet);
    return [
      atMost(5, { name: "commit, push and run, slowest", value: quantile(ends, 1), unit: "s" }),
      figure({ name: "fastest", value: quantile(ends, 0), unit: "s" }),
      figure({ name: "stages", value: stages.length, unit: "" }),
    ];
  },
};
