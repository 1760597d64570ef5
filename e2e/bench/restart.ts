import type { SimulatedAgents } from "../world/simulated-agents.ts";
import { notYet, until } from "../world/wait.ts";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, heldAfter, joinAll, setOfAll } from "./herd.ts";

const settings = "apps/web/settings.yaml";

/** The hub is killed with all agents connected and started again at once; times count from the kill. */
export const bench: Bench = {
  summary: "hub killed with 1,000 agents: how soon they are back and the whole fleet is seen again",
  async run(context) {
    await using fleet = await BenchFleet.start({
      context,
      clusters: knob("CLUSTERS", 1_000),
      files: (repoURL) => ({
        "argocd/web.yaml": setOfAll({ name: "web", repoURL, source: "path: apps/web" }),
        [settings]: configMap("settings", "0"),
      }),
    });
    const { herd } = await joinAll(fleet, context);
    const before = new Map([...herd.all()].map((agent) => [agent.cluster, agent.attempts]));
    const killed = performance.now();
    const since = () => (performance.now() - killed) / 1_000;
    await fleet.hub.kill();
    await until("the end of all sessions", () => herd.connected === 0 || notYet(herd.connected), 30_000);
    await fleet.hub.restart();
    const ready = since();
    await herd.untilConnected(120_000, 0.95);
    const most = since();
    await herd.untilConnected(120_000);
    await herd.untilQuiet(60_000);
    await until("a full view", async () => (await seen(fleet)) === herd.size || notYet(await seen(fleet)), 60_000);
    const whole = since();
    const attempts = [...herd.all()].map((agent) => agent.attempts - (before.get(agent.cluster) ?? 0));
    // The fleet must be led again, not only be counted.
    const files = { [settings]: configMap("settings", "after") };
    const times = await heldAfter(fleet, herd, { files, clusters: fleet.clusters });
    expectSound(herd);
    return [
      figure({ name: "hub ready", value: ready, unit: "s" }),
      atMost(20, { name: "95 % of the agents back", value: most, unit: "s" }),
      atMost(45, { name: "all back, and a full view", value: whole, unit: "s" }),
      figure({ name: "sessions tried by one agent, most", value: quantile(attempts, 1), unit: "" }),
      figure({ name: "sessions given up unanswered", value: unanswered(herd), unit: "" }),
      figure({ name: "the next commit held, last", value: quantile(times, 1), unit: "ms" }),
    ];
  },
};

function unanswered(herd: SimulatedAgents): number {
  return [...herd.all()].reduce((sum, agent) => sum + agent.unanswered, 0);
}

/** Clusters that a person sees as connected, with the revision that they should hold. */
async function seen(fleet: BenchFleet): Promise<number> {
  const clusters = await fleet.list();
  const connected = (await fleet.status()).connected;
  const current = clusters.filter((one) => one.heldRevision === one.desiredRevision && one.heldRevision > 0n);
  return Math.min(connected, current.length);
}
