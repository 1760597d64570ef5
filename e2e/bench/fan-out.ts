import { atMost, type Bar, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";
import { configMap, expectSound, heldAfter, joinAll, setOfAll } from "./herd.ts";

const changed = "apps/web/settings.yaml";

/** One commit that changes one plain bundle on every cluster, from the push to the moment that each agent holds it. */
export const bench: Bench = {
  summary: "one commit that changes one plain bundle on 1,000 simulated agents (AllAtOnce)",
  async run(context) {
    await using fleet = await BenchFleet.start({
      context,
      clusters: knob("CLUSTERS", 1_000),
      files: (repoURL) => ({
        "argocd/web.yaml": setOfAll({ name: "web", repoURL, source: "path: apps/web" }),
        [changed]: configMap("settings", "0"),
      }),
    });
    const { herd, seconds } = await joinAll(fleet, context);
    const measured: Round[] = [];
    for (let round = 1; round <= knob("ROUNDS", 5); round += 1) {
      context.signal.throwIfAborted();
      const before = fleet.hub.usage();
      const files = { [changed]: configMap("settings", `${round}`) };
      const times = await heldAfter(fleet, herd, { files, clusters: fleet.clusters });
      measured.push(roundOf(times, before, fleet.hub.usage()));
      context.say(`fan-out: round ${round}: last after ${quantile(times, 1).toFixed(0)} ms`);
      await herd.untilQuiet(60_000);
    }
    expectSound(herd);
    return [
      atMost(60, { name: `enrol ${herd.size}, to the first report`, value: seconds, unit: "s" }),
      ...bars(measured),
    ];
  },
};

interface Round {
  readonly first: number;
  readonly p50: number;
  readonly p99: number;
  readonly last: number;
  readonly hubCpu: number;
  readonly natsCpu: number;
  readonly hubRss: number;
  readonly natsRss: number;
}

type Used = ReturnType<BenchFleet["hub"]["usage"]>;

function roundOf(times: readonly number[], before: Used, after: Used): Round {
  return {
    first: quantile(times, 0),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    last: quantile(times, 1),
    hubCpu: after.hub.cpuSeconds - before.hub.cpuSeconds,
    natsCpu: after.nats.cpuSeconds - before.nats.cpuSeconds,
    hubRss: after.hub.rssBytes / 2 ** 20,
    natsRss: after.nats.rssBytes / 2 ** 20,
  };
}

/** The middle round speaks for the quantiles, the worst for the last agent. */
function bars(measured: readonly Round[]): Bar[] {
  const of = (name: keyof Round, share = 0.5) =>
    quantile(
      measured.map((round) => round[name]),
      share,
    );
  return [
    figure({ name: "held, first", value: of("first"), unit: "ms" }),
    atMost(1_000, { name: "held, p50", value: of("p50"), unit: "ms" }),
    atMost(2_000, { name: "held, p99", value: of("p99"), unit: "ms" }),
    atMost(5_000, { name: "held, last", value: of("last", 1), unit: "ms" }),
    figure({ name: "hub CPU a commit", value: of("hubCpu"), unit: "s" }),
    figure({ name: "NATS CPU a commit", value: of("natsCpu"), unit: "s" }),
    figure({ name: "hub RSS", value: of("hubRss"), unit: "MiB" }),
    figure({ name: "NATS RSS", value: of("natsRss"), unit: "MiB" }),
  ];
}
