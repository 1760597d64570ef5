import { RollbackScope, RolloutService } from "@capstan/proto/rollout";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, heldAfter, joinAll, setOfAll } from "./herd.ts";
import { settings, untilState } from "./moving.ts";

/** The whole fleet goes back to the bytes of before by one call; times count from the call. */
export const bench: Bench = {
  summary: "a rollback of a lane on 1,000 agents, byte for byte: from the call to the last agent",
  async run(context) {
    await using fleet = await BenchFleet.start({
      context,
      clusters: knob("CLUSTERS", 1_000),
      // The runs before the rollback are not what is measured.
      config: { defaults: { strategy: "AllAtOnce", stableFor: "1s" } },
      files: (repoURL) => ({
        "argocd/web.yaml": setOfAll({ name: "web", repoURL, source: "path: apps/web" }),
        [settings]: configMap("settings", "good"),
      }),
    });
    const { herd } = await joinAll(fleet, context);
    const bundles = () =>
      new Map([...herd.all()].map(({ cluster, held }) => [cluster, held?.state.targets[0]?.bundle?.digest]));
    const good = bundles();
    const { id } = await untilState(fleet, { before: "", state: "Succeeded", bound: 120_000 });
    await heldAfter(fleet, herd, { files: { [settings]: configMap("settings", "bad") }, clusters: fleet.clusters });
    const bad = await untilState(fleet, { before: id, state: "Succeeded", bound: 300_000 });
    const times = new Map<string, number>();
    const all = Promise.withResolvers<void>();
    const began = performance.now();
    const stop = herd.onHeld((cluster) => {
      times.set(cluster, (performance.now() - began) / 1_000);
      if (times.size === herd.size) all.resolve();
    });
    const late = setTimeout(() => all.reject(new Error(`${times.size} of ${herd.size} went back`)), 120_000);
    await fleet.call(RolloutService.method.rollBack, {
      lane: "web",
      scope: RollbackScope.ALL,
      change: { reason: "bench" },
    });
    await all.promise.finally(() => clearTimeout(late));
    stop();
    const same = [...bundles()].filter(([cluster, digest]) => good.get(cluster) === digest).length;
    if (same !== herd.size) throw new Error(`${herd.size - same} agents do not hold the bytes of before`);
    await untilState(fleet, { before: bad.id, state: "Succeeded", bound: 120_000 });
    const ended = (performance.now() - began) / 1_000;
    expectSound(herd);
    return [
      atMost(30, {
        name: "the last agent holds the bytes of before",
        value: quantile([...times.values()], 1),
        unit: "s",
      }),
      figure({ name: "the median", value: quantile([...times.values()], 0.5), unit: "s" }),
      figure({ name: "the run has ended", value: ended, unit: "s" }),
    ];
  },
};
