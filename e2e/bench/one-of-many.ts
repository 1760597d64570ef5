import type { NatsConnection } from "nats";
import type { Files } from "../world/repository.ts";
import { until } from "../world/wait.ts";
import { atMost, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, clusterId, knob } from "./fleet.ts";
import { configMap, expectSound, heldAfter, joinAll, setOfAll } from "./herd.ts";

/** Commits that each touch one cluster of many: what is done must follow what is changed, not the size of the fleet. */
export const bench: Bench = {
  summary: "a commit that touches 1 of 1,000 clusters",
  async run(context) {
    const clusters = knob("CLUSTERS", 1_000);
    await using fleet = await BenchFleet.start({ context, clusters, files: (repoURL) => files(repoURL, clusters) });
    const { herd } = await joinAll(fleet, context);
    await using store = await fleet.store();
    // The first rollouts end half a minute after the last report: what they write is not the commits'.
    await until("a store at rest", () => isAtRest(store.connection), { bound: 120_000, every: 100 });
    const times: number[] = [];
    const written: number[] = [];
    for (let round = 1; round <= knob("ROUNDS", 50); round += 1) {
      context.signal.throwIfAborted();
      const cluster = clusterId((round * 37) % clusters);
      const before = await lastSequence(store.connection);
      const changed = { [pathOf(cluster)]: configMap("settings", `${cluster} ${round}`) };
      times.push(...(await heldAfter(fleet, herd, { files: changed, clusters: [cluster] })));
      const keys = await keysSince(store.connection, before);
      written.push(keys.size);
      if (keys.size > 5) context.say(`one-of-many: round ${round} wrote ${[...keys].join(", ")}`);
      await herd.untilQuiet(60_000);
    }
    expectSound(herd);
    return [
      figure({ name: "held, p50", value: quantile(times, 0.5), unit: "ms" }),
      atMost(700, { name: "held, p99", value: quantile(times, 0.99), unit: "ms" }),
      atMost(5, { name: "keys written until held, most", value: quantile(written, 1), unit: "" }),
    ];
  },
};

function files(repoURL: string, clusters: number): Files {
  const own = Array.from({ length: clusters }, (_, index) => {
    const cluster = clusterId(index);
    return [pathOf(cluster), configMap("settings", cluster)] as const;
  });
  const set = setOfAll({ name: "site", repoURL, source: 'path: "sites/{{name}}"' });
  return { "argocd/site.yaml": set, ...Object.fromEntries(own) };
}

function pathOf(cluster: string): string {
  return `sites/${cluster}/settings.yaml`;
}

async function isAtRest(connection: NatsConnection): Promise<boolean> {
  const before = await lastSequence(connection);
  await new Promise((resolve) => setTimeout(resolve, knob("REST_SECONDS", 33) * 1_000));
  return (await keysSince(connection, before)).size === 0;
}

async function lastSequence(connection: NatsConnection): Promise<number> {
  return (await (await connection.jetstreamManager()).streams.info("KV_state")).state.last_seq;
}

/** The keys of the state bucket that were written since, without the lease, which beats by itself. */
async function keysSince(connection: NatsConnection, sequence: number): Promise<ReadonlySet<string>> {
  const { streams } = await connection.jetstreamManager();
  const last = (await streams.info("KV_state")).state.last_seq;
  const keys = new Set<string>();
  for (let seq = sequence + 1; seq <= last; seq += 1) {
    const message = await streams.getMessage("KV_state", { seq }).catch(() => undefined);
    const key = message?.subject.slice("$KV.state.".length);
    if (key !== undefined && !key.startsWith("lease.")) keys.add(key);
  }
  return keys;
}
