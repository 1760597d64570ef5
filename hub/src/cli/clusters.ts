import { Fault } from "@capstan/proto";
import type { Mode } from "@capstan/proto/desired";
import {
  AdmitClusterResponseSchema,
  ClusterSchema,
  ListClustersResponseSchema,
  RemoveClusterResponseSchema,
  UpdateClusterResponseSchema,
} from "@capstan/proto/fleet";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { counted } from "./look.ts";
import { parseChanges } from "./names.ts";
import { clusterColumns, clusterScreen } from "./screens/cluster.ts";
import { table } from "./table.ts";
import { changeFlags, flag, listFlags, type Verb } from "./verb.ts";
import { modeWord, parseMode, stateWord } from "./words.ts";

/** `cluster list`, also as `get clusters`. */
export async function listClusters(call: Call): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.fleet.listClusters({ options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], clusters: pages.flatMap(({ clusters }) => clusters) };
  return call.show({
    text: (look) =>
      all.clusters.length === 0
        ? ["none yet: capstan cluster add ID"]
        : table(clusterColumns(look), all.clusters, look),
    data: dataOf(ListClustersResponseSchema, all),
    names: all.clusters.map(({ id }) => `cluster/${id}`),
    asOf: asOf(all.result),
  });
}

/** `cluster show`, also as `describe cluster`. */
export async function showCluster(call: Call, id: string): Promise<number> {
  const { cluster } = await (await call.hub()).fleet.getCluster({ id }, call.signal);
  if (cluster === undefined) throw new Fault("not-found", { message: `no cluster is called ${id}.` });
  return call.show({
    text: (look) => clusterScreen(cluster, look),
    data: dataOf(ClusterSchema, cluster),
    names: [`cluster/${id}`],
    asOf: call.ports.clock.now(),
  });
}

const looking: readonly Verb[] = [
  {
    words: "cluster list",
    help: "clusters, with their state and counts",
    flags: listFlags,
    examples: ["cluster list", "cluster list -l env=prod -o wide"],
    run: listClusters,
  },
  {
    words: "cluster show",
    args: "<id>",
    help: "one cluster with all that is known of it",
    flags: [flag.output],
    examples: ["cluster show prod-eu-1"],
    run: (call) => showCluster(call, call.word(0)),
  },
];

const changing: readonly Verb[] = [
  {
    words: "cluster label",
    args: "<id> <changes...>",
    help: "set labels (KEY=VALUE) or remove them (KEY-); shows what moves by it, and asks",
    flags: changeFlags,
    examples: ["cluster label prod-eu-1 env=prod region=eu", "cluster label prod-eu-1 canary- --dry-run"],
    run: (call) => update(call, { labels: parseChanges(call.words.slice(1)) }, "has its labels"),
  },
  {
    words: "cluster annotate",
    args: "<id> <changes...>",
    help: "set annotations (KEY=VALUE) or remove them (KEY-)",
    flags: changeFlags,
    examples: ["cluster annotate prod-eu-1 owner=platform"],
    run: (call) => update(call, { annotations: parseChanges(call.words.slice(1)) }, "has its annotations"),
  },
  {
    words: "cluster mode",
    args: "<id> <mode>",
    help: "how it treats what it meets: Observe, AdoptIfNoDiff or Enforce",
    flags: changeFlags,
    examples: ["cluster mode prod-eu-1 Observe", "cluster mode prod-eu-1 Enforce --dry-run"],
    run: (call) => {
      const mode = parseMode(call.word(1));
      return update(call, { mode }, `is in mode ${modeWord(mode)}`);
    },
  },
  {
    words: "cluster cordon",
    args: "<id>",
    help: "new rollouts do not go there",
    flags: changeFlags,
    examples: ['cluster cordon prod-eu-1 --reason "node upgrade"'],
    run: (call) => update(call, { cordoned: true }, "is cordoned: new rollouts do not go there"),
  },
  {
    words: "cluster uncordon",
    args: "<id>",
    help: "rollouts go there again",
    flags: changeFlags,
    examples: ["cluster uncordon prod-eu-1"],
    run: (call) => update(call, { cordoned: false }, "is open to rollouts again"),
  },
];

const ending: readonly Verb[] = [
  {
    words: "cluster revoke",
    args: "<id>",
    help: "cut a cluster off within seconds, until it joins again; what it runs stays",
    flags: changeFlags,
    examples: ['cluster revoke edge-fr-3 --reason "stolen"'],
    run: async (call) => {
      const id = call.word(0);
      const hub = await call.hub();
      await call.confirm([`${id} is cut off at once: it keeps what it runs, and hears nothing more`], `Revoke ${id}?`);
      const { cluster } = await hub.fleet.revokeCluster({ id, change: call.change() }, call.signal);
      return call.show({
        text: () => [call.flag("dryRun") ? dryRun : `${id} is revoked; to let it in again: capstan cluster add ${id}`],
        data: cluster === undefined ? null : dataOf(ClusterSchema, cluster),
        names: [`cluster/${id}`],
      });
    },
  },
  {
    words: "cluster remove",
    args: "<id>",
    help: "forget a cluster; what it runs stays there, unmanaged",
    flags: changeFlags,
    examples: ["cluster remove edge-fr-3 --dry-run"],
    run: removeCluster,
  },
  {
    words: "cluster admit",
    args: "<id>",
    help: "accept a cluster that nothing names, or a known id from a rebuilt Kubernetes cluster",
    flags: [
      { flags: "--incarnation <uid>", help: "the UID that is accepted (default: the one that waits)" },
      ...changeFlags,
    ],
    examples: ["cluster admit prod-eu-1"],
    run: admitCluster,
  },
];

/** Verbs of a cluster's life after it has joined. */
export const clusterVerbs: readonly Verb[] = [...looking, ...changing, ...ending];

const dryRun = "nothing was changed (--dry-run)";

interface Edit {
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly mode?: Mode;
  readonly cordoned?: boolean;
}

/** What moves by it is asked first; a change that moves something is confirmed. */
async function update(call: Call, edit: Edit, told: string): Promise<number> {
  const hub = await call.hub();
  const id = call.word(0);
  const planned = await hub.fleet.updateCluster(
    { ...edit, id, change: { ...call.change(), dryRun: true } },
    call.signal,
  );
  if (planned.effects.length > 0)
    await call.confirm(
      planned.effects.map((line) => `  ${line}`),
      `Change ${id}?`,
    );
  const done = call.flag("dryRun")
    ? planned
    : await hub.fleet.updateCluster({ ...edit, id, change: call.change() }, call.signal);
  return call.show({
    text: () => [...done.effects.map((line) => `  ${line}`), call.flag("dryRun") ? dryRun : `${id} ${told}`],
    data: dataOf(UpdateClusterResponseSchema, done),
    names: [`cluster/${id}`],
  });
}

async function removeCluster(call: Call): Promise<number> {
  const id = call.word(0);
  const hub = await call.hub();
  const planned = await hub.fleet.removeCluster({ id, change: { ...call.change(), dryRun: true } }, call.signal);
  const had = [
    `${id} is forgotten. Its ${counted(planned.targets.length, "target")} stay there, unmanaged:`,
    ...planned.targets.slice(0, 20).map((target) => `  ${target}`),
  ];
  await call.confirm(planned.targets.length === 0 ? [`${id} is forgotten; it has no targets`] : had, `Remove ${id}?`);
  const done = call.flag("dryRun")
    ? planned
    : await hub.fleet.removeCluster({ id, change: call.change() }, call.signal);
  return call.show({
    text: () => (call.flag("dryRun") ? [...had, dryRun] : [`${id} is forgotten`]),
    data: dataOf(RemoveClusterResponseSchema, done),
    names: [`cluster/${id}`],
  });
}

async function admitCluster(call: Call): Promise<number> {
  const id = call.word(0);
  const hub = await call.hub();
  const { cluster: before } = await hub.fleet.getCluster({ id }, call.signal);
  const claimed = before?.problems.find(({ code }) => code === "wrong-incarnation");
  const waiting = /UID ([0-9a-zA-Z-]+)/.exec(claimed?.message ?? "")?.[1] ?? before?.incarnation ?? "";
  const incarnation = call.text("incarnation") ?? waiting;
  if (incarnation === "") {
    throw new Fault("not-now", {
      message: `nothing waits to be admitted as ${id}: it is ${stateWord(before?.state ?? 0)}.`,
      next: `See: capstan cluster show ${id}`,
    });
  }
  await call.confirm(
    [`the Kubernetes cluster with UID ${incarnation} is ${id} from now on, and gets its targets`],
    `Admit it?`,
  );
  const done = await hub.fleet.admitCluster({ id, incarnation, change: call.change() }, call.signal);
  return call.show({
    text: () => [call.flag("dryRun") ? dryRun : `${id} is admitted`],
    data: dataOf(AdmitClusterResponseSchema, done),
    names: [`cluster/${id}`],
  });
}
