import type { KubeClient } from "../world/kube-client.ts";
import { atMost, type Bench, figure, rate } from "./bench.ts";
import { knob } from "./fleet.ts";
import { Thousand } from "./thousand.ts";

const space = "/api/v1/namespaces/noise/configmaps";
const perSecond = 200;

/** What others' objects cost an agent: the same rest without them, and with many of them changing beside it. */
export const bench: Bench = {
  summary: "20,000 unmanaged objects churning at 200/s beside 1,000 targets",
  built: true,
  async run(context) {
    await using thousand = await Thousand.start(context);
    await thousand.apply();
    const { client } = thousand.cluster;
    await client.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "noise" } });
    const seconds = knob("SECONDS", context.quick ? 60 : 180);
    const rest = () => new Promise<void>((resolve) => setTimeout(resolve, seconds * 1_000));
    await new Promise((resolve) => setTimeout(resolve, knob("REST_SECONDS", 20) * 1_000));
    context.say(`noise: ${seconds} s without, then as long with it`);
    const quiet = await thousand.watchUse(rest);
    const count = knob("OBJECTS", 20_000);
    await rate(count, 16, (index) => client.create(space, noisy(index, "0")));
    const noise = churn(client, count);
    const loud = await thousand.watchUse(rest);
    const changes = await noise.stop();
    const share = (cpu: number) => (cpu * 100) / seconds;
    // The clock of a process ticks in hundredths of a second: a difference of less than a permille of a core says nothing.
    const least = seconds / 1_000;
    return [
      atMost(1.1, { name: "agent RSS with beside without", value: loud.rss / quiet.rss, unit: "x" }),
      atMost(1.1, {
        name: "agent CPU with beside without",
        value: (loud.cpu + least) / (quiet.cpu + least),
        unit: "x",
      }),
      figure({ name: "agent CPU without", value: share(quiet.cpu), unit: "% of a core" }),
      figure({ name: "agent CPU with", value: share(loud.cpu), unit: "% of a core" }),
      figure({ name: "changes beside it", value: changes / seconds, unit: "/s" }),
    ];
  },
};

function noisy(index: number, value: string): unknown {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name: `noise-${index}` }, data: { value } };
}

/** Changes objects in turn, so many a second, until it is told to stop. Returns then how many it changed. */
function churn(client: KubeClient, count: number) {
  let going = true;
  let changed = 0;
  const work = async () => {
    const began = performance.now();
    while (going) {
      const due = Math.floor(((performance.now() - began) * perSecond) / 1_000) - changed;
      const batch = Array.from({ length: Math.max(0, Math.min(16, due)) }, () => changed++);
      await Promise.all(batch.map((n) => client.merge(`${space}/noise-${n % count}`, { data: { value: `${n}` } })));
      if (batch.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  const done = work();
  return {
    stop: async () => {
      going = false;
      await done;
      return changed;
    },
  };
}
