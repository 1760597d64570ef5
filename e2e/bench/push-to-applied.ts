import { realCluster, skipReason } from "../toolchain/skip.ts";
import { until } from "../world/wait.ts";
import { World } from "../world/world.ts";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { knob } from "./fleet.ts";
import { configMap, setOfAll } from "./herd.ts";

const changed = "apps/web/settings.yaml";
const live = "/api/v1/namespaces/web/configmaps/settings";

/** One changed ConfigMap from the webhook to the API server of one cluster, through hub, NATS and a real agent. */
export const bench: Bench = {
  summary: "webhook of one changed ConfigMap to the object live on a real API server",
  async run({ tools, say, signal }) {
    const skip = skipReason(tools, realCluster);
    if (skip !== false) throw new Error(`this bench needs a real API server: ${skip}`);
    await using world = await World.start({
      tools,
      clusters: [{ id: "a", kind: "real", labels: { env: "prod" } }],
      files: {},
    });
    const cluster = world.cluster("a");
    const repoURL = world.repository.url;
    const declared = "apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: a\n  labels:\n    env: prod\n";
    const files = {
      "argocd/cluster.yaml": `${declared}spec:\n  mode: Enforce\n`,
      "argocd/web.yaml": setOfAll({ name: "web", repoURL, source: "path: apps/web" }).replace(
        "automated: {}",
        "automated: {}\n        syncOptions: [CreateNamespace=true]",
      ),
      [changed]: configMap("settings", "0"),
    };
    await world.repository.publish(files, "A set");
    await world.join("a");
    const value = async () => {
      const found = await cluster.client.get(live);
      return (found?.["data"] as { readonly value?: string } | undefined)?.value ?? "";
    };
    await until("the first object", async () => (await value()) === "0", 60_000);
    const { onPush } = world.repository;
    const times: number[] = [];
    for (let round = 1; round <= knob("ROUNDS", 60); round += 1) {
      signal.throwIfAborted();
      let started = 0;
      world.repository.onPush = async (push) => {
        started = performance.now();
        await onPush?.(push);
      };
      await world.repository.publish({ [changed]: configMap("settings", `${round}`) }, `Round ${round}`);
      await until("the object", async () => (await value()) === `${round}`, { bound: 30_000, every: 5 });
      times.push(performance.now() - started);
    }
    say(`push-to-applied: ${times.length} commits`);
    return [
      atMost(500, { name: "live, p50", value: quantile(times, 0.5), unit: "ms" }),
      atMost(1_500, { name: "live, p99", value: quantile(times, 0.99), unit: "ms" }),
      figure({ name: "live, slowest", value: quantile(times, 1), unit: "ms" }),
    ];
  },
};
