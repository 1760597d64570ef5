import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { atMost, type Bar, type Bench, figure, quantile } from "./bench.ts";
import { BenchFleet, knob } from "./fleet.ts";

const rounds = 5;

/** One commit that changes one plain bundle on every cluster, from the push to the moment that each agent holds it. */
export const bench: Bench = {
  summary: "one commit that changes one plain bundle on 1,000 simulated agents (AllAtOnce)",
  async run(context) {
    const clusters = knob("CLUSTERS", 1_000);
    await using fleet = await BenchFleet.start({ context, clusters, files });
    const joining = performance.now();
    const herd = await fleet.join({ behaviour: { opens: (cluster) => fleet.clusters.indexOf(cluster) % 20 === 0 } });
    context.say(`fan-out: enrolled after ${((performance.now() - joining) / 1_000).toFixed(1)} s`);
    await herd.untilConnected(120_000);
    context.say(`fan-out: connected after ${((performance.now() - joining) / 1_000).toFixed(1)} s`);
    await untilHeld(herd, 120_000);
    await herd.untilQuiet(60_000);
    const joined = (performance.now() - joining) / 1_000;
    context.say(`fan-out: ${clusters} agents joined and reported in ${joined.toFixed(1)} s`);
    const measured: Round[] = [];
    for (let round = 1; round <= knob("ROUNDS", rounds); round += 1) {
      context.signal.throwIfAborted();
      measured.push(await once(fleet, herd, round));
      context.say(`fan-out: round ${round}: ${JSON.stringify(measured.at(-1))}`);
      await herd.untilQuiet(60_000);
    }
    if (herd.faults.length > 0) throw new Error(`agents saw faults: ${herd.faults.slice(0, 3).join("; ")}`);
    return [
      atMost(60, { name: `enrol ${clusters}, to the first report`, value: joined, unit: "s" }),
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

type Herd = Awaited<ReturnType<BenchFleet["join"]>>;

async function untilHeld(herd: Herd, bound: number): Promise<void> {
  const held = () => [...herd.all()].filter(({ revision }) => revision > 0n).length;
  await until("a state on every agent", () => held() === herd.size || notYet(held()), bound);
}

async function once(fleet: BenchFleet, herd: Herd, round: number): Promise<Round> {
  const took = new Map<string, number>();
  let started = 0;
  const all = Promise.withResolvers<void>();
  const stop = herd.onHeld((cluster) => {
    if (!took.has(cluster)) took.set(cluster, performance.now() - started);
    if (took.size === herd.size) all.resolve();
  });
  await fleet.repository.write({ "apps/web/settings.yaml": settings(round) });
  await fleet.repository.commit(`Round ${round}`);
  const before = fleet.hub.usage();
  // From the push's end, which is when a forge would call the webhook.
  const { onPush } = fleet.repository;
  fleet.repository.onPush = async (push) => {
    started = performance.now();
    await onPush?.(push);
  };
  await fleet.repository.push();
  fleet.repository.onPush = onPush;
  const late = setTimeout(
    () => all.reject(new Error(`only ${took.size} of ${herd.size} hold the commit after 60 s`)),
    60_000,
  );
  try {
    await all.promise;
  } finally {
    clearTimeout(late);
    stop();
  }
  const after = fleet.hub.usage();
  const times = [...took.values()];
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

/** The middle round speaks; the worst last agent of all rounds is shown beside it. */
function bars(measured: readonly Round[]): Bar[] {
  const middle = (name: keyof Round) =>
    quantile(
      measured.map((round) => round[name]),
      0.5,
    );
  return [
    figure({ name: "held, first", value: middle("first"), unit: "ms" }),
    atMost(1_000, { name: "held, p50", value: middle("p50"), unit: "ms" }),
    atMost(2_000, { name: "held, p99", value: middle("p99"), unit: "ms" }),
    atMost(5_000, {
      name: "held, last",
      value: quantile(
        measured.map(({ last }) => last),
        1,
      ),
      unit: "ms",
    }),
    figure({ name: "hub CPU a commit", value: middle("hubCpu"), unit: "s" }),
    figure({ name: "NATS CPU a commit", value: middle("natsCpu"), unit: "s" }),
    figure({ name: "hub RSS", value: middle("hubRss"), unit: "MiB" }),
    figure({ name: "NATS RSS", value: middle("natsRss"), unit: "MiB" }),
  ];
}

function files(repoURL: string): Files {
  return {
    "argocd/web.yaml": `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: web
  namespace: argocd
spec:
  strategy:
    type: AllAtOnce
  generators:
    - clusters: {selector: {matchExpressions: [{key: env, operator: Exists}]}}
  template:
    metadata:
      name: "web-{{name}}"
    spec:
      project: default
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: apps/web
      destination:
        name: "{{name}}"
        namespace: web
      syncPolicy:
        automated: {}
`,
    "apps/web/settings.yaml": settings(0),
  };
}

function settings(round: number): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: settings\ndata:\n  round: "${round}"\n`;
}
