import { Health, Phase } from "@capstan/proto/agent";
import type { SimulatedAgents } from "../world/simulated-agents.ts";
import type { Fate, SimulatedAgent } from "../world/simulated-agents-agent.ts";
import { notYet, until } from "../world/wait.ts";
import { atLeast, atMost, type Bench, figure } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, joinAll, setOfAll } from "./herd.ts";

/** Every agent reports a change again and again; each report is a batch of its own, acknowledged when it is durable. */
export const bench: Bench = {
  summary: "reports from 1,000 agents, each acknowledged when durable",
  async run(context) {
    const clusters = knob("CLUSTERS", 1_000);
    await using fleet = await BenchFleet.start({
      context,
      clusters,
      files: (repoURL) => ({
        "argocd/web.yaml": setOfAll({ name: "web", repoURL, source: "path: apps/web" }),
        "apps/web/settings.yaml": configMap("settings", "0"),
      }),
    });
    // Offered: a quarter above the bar.
    const bar = 2 * clusters;
    const paceMs = 400;
    const { herd } = await joinAll(fleet, context, { paceMs });
    const before = { acknowledged: acknowledged(herd), usage: fleet.hub.usage() };
    const seconds = knob("SECONDS", 60);
    context.say(`status: reporting for ${seconds} s`);
    const began = performance.now();
    await report(herd, { seconds, paceMs, signal: context.signal });
    const took = (performance.now() - began) / 1_000;
    const rate = (acknowledged(herd) - before.acknowledged) / took;
    await herd.untilQuiet(60_000);
    const after = fleet.hub.usage();
    const lost = await untold(fleet, herd);
    expectSound(herd);
    return [
      atLeast(bar, { name: "reports acknowledged", value: rate, unit: "/s" }),
      atMost(0, { name: "clusters whose last report is not seen", value: lost, unit: "" }),
      figure({ name: "hub CPU", value: (after.hub.cpuSeconds - before.usage.hub.cpuSeconds) / took, unit: "cores" }),
      figure({ name: "NATS CPU", value: (after.nats.cpuSeconds - before.usage.nats.cpuSeconds) / took, unit: "cores" }),
      figure({
        name: "hub RSS growth",
        value: (after.hub.rssBytes - before.usage.hub.rssBytes) / 2 ** 20,
        unit: "MiB",
      }),
    ];
  },
};

const fates: Readonly<Record<"good" | "bad", Fate>> = {
  good: { afterMs: 0, phase: Phase.DONE, health: Health.HEALTHY },
  bad: { afterMs: 0, phase: Phase.DONE, health: Health.DEGRADED, message: "planted" },
};

function acknowledged(herd: SimulatedAgents): number {
  return [...herd.all()].reduce((sum, { outbox }) => sum + outbox.acknowledgedBatches, 0);
}

/** The last word of every agent: half of them are degraded. */
function lastWord(index: number): Fate {
  return index % 2 === 0 ? fates.bad : fates.good;
}

async function report(
  herd: SimulatedAgents,
  { seconds, paceMs, signal }: { readonly seconds: number; readonly paceMs: number; readonly signal: AbortSignal },
): Promise<void> {
  const end = performance.now() + seconds * 1_000;
  const agents = [...herd.all()];
  const busy = agents.map(async (agent, index) => {
    await pause((index / agents.length) * paceMs);
    for (let turn = 0; performance.now() < end; turn += 1) {
      signal.throwIfAborted();
      say(agent, turn % 2 === 0 ? fates.good : fates.bad);
      await pause(paceMs);
    }
    say(agent, lastWord(index));
  });
  await Promise.all(busy);
}

function say(agent: SimulatedAgent, fate: Fate): void {
  const target = agent.held?.state.targets[0];
  if (target !== undefined) agent.report(target, fate);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Clusters whose counts at the hub are not their agents' last word. */
async function untold(fleet: BenchFleet, herd: SimulatedAgents): Promise<number> {
  const expected = new Map([...herd.all()].map(({ cluster }, index) => [cluster, lastWord(index).health]));
  const wrong = async () =>
    (await fleet.list()).filter(({ id, targets }) => {
      const degraded = expected.get(id) === Health.DEGRADED;
      return targets?.degraded !== (degraded ? 1 : 0) || targets.healthy !== (degraded ? 0 : 1);
    }).length;
  await until("every last report", async () => (await wrong()) === 0 || notYet(await wrong()), 15_000).catch(() => 0);
  return wrong();
}
