import { AgentProcess } from "../world/agent-process.ts";
import { capstanAgent } from "../world/programs.ts";
import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { World } from "../world/world.ts";
import { atMost, type Bench, figure } from "./bench.ts";
import { knob } from "./fleet.ts";
import { configMap, setOfAll } from "./herd.ts";

const objects = 10;

/** The built agent with the flags of its wrapper, at rest with all targets applied and watched. */
export const bench: Bench = {
  summary: "memory of the built agent with 50 targets × 10 objects",
  built: true,
  async run({ tools, say }) {
    const targets = knob("TARGETS", 50);
    await using world = await World.start({ tools, clusters: [{ id: "a", kind: "real" }], files: {} });
    await world.repository.publish(files(world.repository.url, targets), "The sets");
    const cluster = world.cluster("a");
    // Installed as any agent is, but the one that is measured is the built one.
    await world.join("a");
    await until("the first objects", async () => (await applied(cluster)) > 0, 60_000);
    await cluster.agent?.[Symbol.asyncDispose]();
    const kubeconfig = await cluster.kubeconfigOf("capstan-system", "capstan-agent");
    await using agent = await AgentProcess.start({
      cluster: "a",
      kubeconfig,
      hubs: [world.hub.links.grpc.address],
      command: capstanAgent("built"),
    });
    const expected = targets * objects;
    await until(
      "all objects",
      async () => (await applied(cluster)) === expected || notYet(await applied(cluster)),
      120_000,
    );
    say(`agent-rss: ${expected} objects are applied; at rest for ${knob("SECONDS", 60)} s`);
    const used = () => agent.child?.usage() ?? { rssBytes: 0, rssAnonBytes: 0, cpuSeconds: 0 };
    const busy = used().cpuSeconds;
    const began = { at: performance.now(), cpu: used().cpuSeconds };
    let most = 0;
    for (let second = 0; second < knob("SECONDS", 60); second += 1) {
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      most = Math.max(most, used().rssBytes);
    }
    const cpu = ((used().cpuSeconds - began.cpu) * 1_000) / (performance.now() - began.at);
    return [
      atMost(80, { name: "RSS at rest, most", value: most / 2 ** 20, unit: "MiB" }),
      figure({ name: "of it anonymous", value: used().rssAnonBytes / 2 ** 20, unit: "MiB" }),
      figure({ name: "of it file-backed", value: (used().rssBytes - used().rssAnonBytes) / 2 ** 20, unit: "MiB" }),
      figure({ name: "CPU from start to applied", value: busy, unit: "s" }),
      figure({ name: "CPU at rest", value: cpu * 100, unit: "% of a core" }),
    ];
  },
};

async function applied(cluster: ReturnType<World["cluster"]>): Promise<number> {
  return (await cluster.client.list("/api/v1/configmaps")).filter(({ metadata }) => metadata.name.startsWith("part-"))
    .length;
}

function files(repoURL: string, targets: number): Files {
  const all: Record<string, string> = {
    "argocd/cluster.yaml": `apiVersion: capstan.dev/v1
kind: Cluster
metadata:
  name: a
  labels:
    env: prod
spec:
  mode: Enforce
`,
  };
  for (let target = 0; target < targets; target += 1) {
    const name = `app${target}`;
    all[`argocd/${name}.yaml`] = setOfAll({ name, repoURL, source: `path: apps/${name}` }).replace(
      "automated: {}",
      "automated: {}\n        syncOptions: [CreateNamespace=true]",
    );
    const documents = Array.from({ length: objects }, (_, n) => configMap(`part-${n}`, `${target} ${n}`));
    all[`apps/${name}/all.yaml`] = documents.join("---\n");
  }
  return all;
}
