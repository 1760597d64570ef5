import { readFileSync } from "node:fs";
import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { atMost, type Bench, figure } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, setOfAll } from "./herd.ts";

const variants = 10;
const objects = 10;

/** A large fleet on the hub alone: no agent is connected, as rendering, planning and memory do not need them. */
export const bench: Bench = {
  summary: "1,000 clusters × 20 targets × 10 objects, 200 distinct renders: first render, no-op pass, memory",
  async run(context) {
    const clusters = knob("CLUSTERS", 1_000);
    const sets = knob("SETS", 20);
    await using fleet = await BenchFleet.start({ context, clusters, files: () => sources(sets) });
    await using store = await fleet.store();
    const { streams } = await store.connection.jetstreamManager();
    const keys = async (filter: string) =>
      Object.keys((await streams.info("KV_state", { subjects_filter: filter })).state.subjects ?? {});
    await until("the documents", async () => (await fleet.list()).length === clusters, 60_000);
    const began = performance.now();
    await fleet.repository.write(documents(fleet.repository.url, sets));
    await fleet.repository.commit("The sets");
    await fleet.push(() => undefined);
    // Each variant is a lane, as its path ends differently. A lane whose plan is recorded has all of its targets rendered and worked out; a run's id begins with its lane.
    const planned = async () => {
      const runs = await keys("$KV.state.head.>");
      return new Set(runs.map((run) => run.slice(0, run.lastIndexOf("-")))).size;
    };
    await until(
      "a plan of every lane",
      async () => (await planned()) >= sets * variants || notYet(await planned()),
      600_000,
    );
    const first = (performance.now() - began) / 1_000;
    const bundles = (await streams.info("bundles")).state.messages;
    context.say(`hub-size: ${bundles} bundles, ${sets * variants} plans after ${first.toFixed(1)} s`);
    await quiet(fleet, 120_000);
    const passes: { readonly seconds: number; readonly cpu: number }[] = [];
    for (let round = 1; round <= 3; round += 1) {
      context.signal.throwIfAborted();
      passes.push(await noop(fleet, round));
      context.say(`hub-size: no-op pass ${round}: ${JSON.stringify(passes.at(-1))}`);
    }
    const { hub, nats } = fleet.hub.usage();
    return [
      atMost(60, { name: `first render of ${clusters * sets} targets`, value: first, unit: "s" }),
      atMost(5, {
        name: "no-op pass, slowest of 3",
        value: Math.max(...passes.map(({ seconds }) => seconds)),
        unit: "s",
      }),
      figure({ name: "hub CPU of it, most", value: Math.max(...passes.map(({ cpu }) => cpu)), unit: "s" }),
      atMost(1_536, { name: "hub RSS, highest", value: peakOf(fleet.hub.child?.pid ?? 0) / 2 ** 20, unit: "MiB" }),
      figure({ name: "hub RSS, at rest", value: hub.rssBytes / 2 ** 20, unit: "MiB" }),
      figure({ name: "NATS RSS", value: nats.rssBytes / 2 ** 20, unit: "MiB" }),
    ];
  },
};

/** A commit that changes nothing that any target reads. Returns the seconds until the hub has nothing to do any more. */
async function noop(fleet: BenchFleet, round: number): Promise<{ readonly seconds: number; readonly cpu: number }> {
  let started = 0;
  let pushed = 0;
  const cpu = fleet.hub.usage().hub.cpuSeconds;
  await fleet.repository.write({ "README.md": `${round}\n` });
  await fleet.repository.commit("Nothing");
  await fleet.push(() => {
    started = performance.now();
    pushed = fleet.git.requests("fleet");
  });
  await until("the hub's fetch", () => fleet.git.requests("fleet") > pushed || notYet(pushed), 60_000);
  const seconds = ((await quiet(fleet, 120_000)) - started) / 1_000;
  return { seconds: Math.max(0, seconds), cpu: fleet.hub.usage().hub.cpuSeconds - cpu };
}

/** Waits until the hub used less than a tenth of a core for 1.5 s; returns when that began. */
async function quiet(fleet: BenchFleet, bound: number): Promise<number> {
  let last = { at: performance.now(), cpu: fleet.hub.usage().hub.cpuSeconds };
  let since = Number.POSITIVE_INFINITY;
  return until(
    "a hub at rest",
    () => {
      const now = { at: performance.now(), cpu: fleet.hub.usage().hub.cpuSeconds };
      const busy = ((now.cpu - last.cpu) * 1_000) / (now.at - last.at);
      since = busy < 0.1 ? Math.min(since, last.at) : Number.POSITIVE_INFINITY;
      last = now;
      return now.at - since > 1_500 ? since : notYet(busy);
    },
    { bound, every: 250 },
  );
}

/** The most that a process ever had in memory. */
function peakOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) * 1_024;
}

function documents(repoURL: string, sets: number): Files {
  const entries = Array.from({ length: sets }, (_, index) => {
    const source = `path: "apps/app${index}/{{metadata.labels.variant}}"`;
    return [`argocd/app${index}.yaml`, setOfAll({ name: `app${index}`, repoURL, source })] as const;
  });
  return Object.fromEntries(entries);
}

function sources(sets: number): Files {
  const files: Record<string, string> = {};
  for (let set = 0; set < sets; set += 1) {
    for (let variant = 0; variant < variants; variant += 1) {
      const documents = Array.from({ length: objects }, (_, n) => configMap(`part-${n}`, `${set} ${variant} ${n}`));
      files[`apps/app${set}/v${variant}/all.yaml`] = documents.join("---\n");
    }
  }
  return files;
}
