import { Fault } from "@capstan/proto";
import {
  GetTargetResponseSchema,
  LaneViewSchema,
  ListSetsResponseSchema,
  ListTargetsResponseSchema,
  SetViewSchema,
  TargetViewSchema,
} from "@capstan/proto/application";
import { ClusterSchema } from "@capstan/proto/fleet";
import { RolloutViewSchema } from "@capstan/proto/rollout";
import { asOf, dataOf } from "./answer.ts";
import { allPages, type Call } from "./call.ts";
import { listClusters, showCluster } from "./clusters.ts";
import { listDocuments } from "./documents.ts";
import { listDeletions, listRepositories, listRoots } from "./inputs.ts";
import { laneText, plainName, qualified } from "./names.ts";
import { resumed } from "./resume.ts";
import { listRollouts } from "./rollout-list.ts";
import { showRollout } from "./rollouts.ts";
import { clusterColumns } from "./screens/cluster.ts";
import { rolloutColumns } from "./screens/rollout.ts";
import { laneColumns, laneRows, setColumns, setScreen } from "./screens/set.ts";
import { targetColumns, targetScreen } from "./screens/target.ts";
import { table } from "./table.ts";
import { flag, listFlags, type Verb } from "./verb.ts";
import { watchList } from "./watching.ts";

const nouns = ["clusters", "sets", "targets", "lanes", "documents", "repos", "rollouts", "roots", "deletions"] as const;
type Noun = (typeof nouns)[number];

const aliases: Readonly<Record<string, Noun>> = {
  cl: "clusters",
  cluster: "clusters",
  set: "sets",
  appset: "sets",
  appsets: "sets",
  applicationset: "sets",
  applicationsets: "sets",
  target: "targets",
  app: "targets",
  apps: "targets",
  application: "targets",
  applications: "targets",
  lane: "lanes",
  document: "documents",
  doc: "documents",
  docs: "documents",
  repo: "repos",
  repository: "repos",
  repositories: "repos",
  rollout: "rollouts",
  ro: "rollouts",
  root: "roots",
  deletion: "deletions",
};

/** A noun by any of its names. Throws `bad-input`. */
export function parseNoun(text: string): Noun {
  const word = text.toLowerCase();
  const noun = nouns.find((each) => each === word) ?? (Object.hasOwn(aliases, word) ? aliases[word] : undefined);
  if (noun !== undefined) return noun;
  throw new Fault("bad-input", {
    message: `expected a noun, found ${JSON.stringify(text)}.`,
    next: `One of: ${nouns.join(", ")}.`,
  });
}

/** `get` and `describe`. */
export const lookingVerbs: readonly Verb[] = [
  {
    words: "get",
    args: "<noun>",
    help: `list ${nouns.join(", ")}`,
    flags: [
      { flags: "--set <name>", help: "targets: only of this set" },
      { flags: "--lane <lane>", help: "targets and rollouts: only of this lane" },
      { flags: "--all", help: "rollouts: those that have ended too" },
      flag.watch,
      ...listFlags,
    ],
    examples: [
      "get targets -c prod-eu-1",
      "get clusters -l env=prod -o wide",
      "get targets --lane shop-web -w",
      "get sets -o name",
    ],
    run: (call) =>
      call.flag("watch") ? watchNoun(call, parseNoun(call.word(0))) : listNoun(call, parseNoun(call.word(0))),
  },
  {
    words: "describe",
    args: "<noun> <name>",
    help: "one cluster, set, target or rollout with all that is known of it",
    flags: [flag.oneCluster, flag.namespace, flag.output],
    examples: ["describe cluster prod-eu-1", "describe target shop-web -c prod-us-2", "describe set team-apps"],
    run: describe,
  },
];

function listNoun(call: Call, noun: Noun): Promise<number> {
  switch (noun) {
    case "clusters":
      return listClusters(call);
    case "sets":
    case "lanes":
      return listSets(call, noun);
    case "targets":
      return listTargets(call);
    case "documents":
      return listDocuments(call);
    case "repos":
      return listRepositories(call);
    case "rollouts":
      return listRollouts(call);
    case "roots":
      return listRoots(call);
    case "deletions":
      return listDeletions(call);
  }
}

async function listSets(call: Call, noun: "sets" | "lanes"): Promise<number> {
  const hub = await call.hub();
  const pages = await allPages((pageToken) =>
    hub.applications.listSets({ options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], sets: pages.flatMap(({ sets }) => sets) };
  const none = ["none yet: capstan apply -f FILE, or a root in the hub's config"];
  const lanes = laneRows(all.sets);
  if (noun === "lanes") {
    return call.show({
      text: (look) => (lanes.length === 0 ? none : table(laneColumns, lanes, look)),
      data: lanes.map(({ set, lane }) => ({ set, lane: dataOf(LaneViewSchema, lane) })),
      names: lanes.map(({ set, lane }) => `lane/${laneText(set, lane.name)}`),
      asOf: asOf(all.result),
    });
  }
  return call.show({
    text: (look) => (all.sets.length === 0 ? none : table(setColumns, all.sets, look)),
    data: dataOf(ListSetsResponseSchema, all),
    names: all.sets.map((set) => `set/${qualified(set)}`),
    asOf: asOf(all.result),
  });
}

/** `LANE` or `SET:LANE` as the list of targets takes it. */
function laneAsked(call: Call): { readonly set: string; readonly lane: string } {
  const text = call.text("lane") ?? "";
  const colon = text.indexOf(":");
  const set = call.text("set") ?? "";
  return colon < 0 ? { set, lane: text } : { set: text.slice(0, colon), lane: text.slice(colon + 1) };
}

async function listTargets(call: Call): Promise<number> {
  const hub = await call.hub();
  const asked = laneAsked(call);
  const pages = await allPages((pageToken) =>
    hub.applications.listTargets({ ...asked, options: call.options({ pageToken }) }, call.signal),
  );
  const all = { ...pages[0], targets: pages.flatMap(({ targets }) => targets) };
  return call.show({
    text: (look) => (all.targets.length === 0 ? ["no targets"] : table(targetColumns(look), all.targets, look)),
    data: dataOf(ListTargetsResponseSchema, all),
    names: all.targets.map((target) => `target/${qualified(target)}`),
    asOf: asOf(all.result),
  });
}

async function watchNoun(call: Call, noun: Noun): Promise<number> {
  const hub = await call.hub();
  const { signal, narrowed: options } = call;
  switch (noun) {
    case "clusters": {
      const events = mapped(
        resumed(call, (token) => hub.fleet.watchClusters({ options: { ...options, token } }, signal)),
        ({ type, cluster }) => ({
          type,
          item: cluster,
        }),
      );
      return watchList(call, events, { schema: ClusterSchema, columns: clusterColumns, key: ({ id }) => id });
    }
    case "targets": {
      const { set, lane } = laneAsked(call);
      const stream = resumed(call, (token) =>
        hub.applications.watchTargets({ options: { ...options, token } }, signal),
      );
      const events = mapped(stream, ({ type, target }) => {
        const other =
          target !== undefined &&
          ((set !== "" && plainName(target.set) !== plainName(set)) || (lane !== "" && target.lane !== lane));
        return { type, item: other ? undefined : target };
      });
      return watchList(call, events, { schema: TargetViewSchema, columns: targetColumns, key: qualified });
    }
    case "rollouts": {
      const id = call.text("lane") ?? "";
      const stream = resumed(call, (token) =>
        hub.rollouts.watchRollouts({ id, options: { ...options, token } }, signal),
      );
      const events = mapped(stream, ({ type, rollout }) => ({ type, item: rollout }));
      return watchList(call, events, { schema: RolloutViewSchema, columns: rolloutColumns, key: ({ id }) => id });
    }
    default:
      throw new Fault("bad-input", {
        message: `${noun} cannot be watched.`,
        next: "Clusters, targets and rollouts can.",
      });
  }
}

async function* mapped<A, B>(items: AsyncIterable<A>, by: (item: A) => B): AsyncIterable<B> {
  for await (const item of items) yield by(item);
}

async function describe(call: Call): Promise<number> {
  const noun = parseNoun(call.word(0));
  const name = call.word(1);
  const hub = await call.hub();
  const now = call.ports.clock.now();
  switch (noun) {
    case "clusters":
      return showCluster(call, name);
    case "rollouts":
      return showRollout(call, name);
    case "sets": {
      const slash = name.indexOf("/");
      const namespace = slash > 0 ? name.slice(0, slash) : (call.text("namespace") ?? "");
      const { set } = await hub.applications.getSet({ namespace, name: name.slice(slash + 1) }, call.signal);
      if (set === undefined) throw new Fault("not-found", { message: `no set is called ${name}.` });
      return call.show({
        text: (look) => setScreen(set, look),
        data: dataOf(SetViewSchema, set),
        names: [`set/${qualified(set)}`],
        asOf: now,
      });
    }
    case "targets": {
      const found = await hub.applications.getTarget({ name, cluster: call.cluster }, call.signal);
      return call.show({
        text: (look) =>
          found.targets.flatMap((target, at) => [...(at === 0 ? [] : [""]), ...targetScreen(target, look)]),
        data: dataOf(GetTargetResponseSchema, found),
        names: found.targets.map((target) => `target/${qualified(target)}`),
        asOf: now,
      });
    }
    default:
      throw new Fault("bad-input", {
        message: `${noun} have no screen of their own.`,
        next: `See: capstan get ${noun} -o yaml`,
      });
  }
}
