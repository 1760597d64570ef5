import { type ClusterId, parseClusterId } from "@capstan/proto";
import { Phase } from "@capstan/proto/agent";
import type { TargetView } from "@capstan/proto/application";
import { Mode } from "@capstan/proto/desired";
import { type AddClusterResponse, AddClusterResponseSchema, type Cluster, ClusterState } from "@capstan/proto/fleet";
import { span } from "./age.ts";
import { dataOf } from "./answer.ts";
import type { Call } from "./call.ts";
import { accessOf } from "./contexts.ts";
import { exit } from "./exit.ts";
import { checkJoinToken, type Installation, manifestItems, manifestYaml } from "./manifest.ts";
import { parsePairs } from "./names.ts";
import { resumed } from "./resume.ts";
import { invitation, joinedLines } from "./screens/joined.ts";
import { ttlOf } from "./tokens.ts";
import { type Flag, flag, type Verb } from "./verb.ts";
import { parseMode } from "./words.ts";

/** Milliseconds that a new agent has for its first look at its targets, and between two questions after it. */
const lookedAtWithin = 10_000;
const lookAgainMs = 500;
const before: ReadonlySet<Phase> = new Set([Phase.UNSPECIFIED, Phase.FETCHING, Phase.APPLYING]);

const installFlags: readonly Flag[] = [
  { flags: "--token-file <file>", help: "the join token; - for standard input" },
  { flags: "--hub <host:port>", help: "where agents reach the hub (default: as the current context does)", many: true },
  { flags: "--image <image>", help: "the agent's image (default: capstan-agent in this program's version)" },
  { flags: "--proxy <url>", help: "HTTP proxy to the hub; desired state is then read over gRPC as well" },
];

/** How a cluster comes to the fleet: `cluster add`, `join` and `manifest`. */
export const joiningVerbs: readonly Verb[] = [
  {
    words: "cluster add",
    args: "<id>",
    help: "make a cluster known and a join token for it; waits on a terminal until it has joined",
    flags: [
      { flags: "--label <key=value>", help: "a label (several times)", many: true },
      { flags: "--annotation <key=value>", help: "an annotation (several times)", many: true },
      { flags: "--mode <mode>", help: "Observe, AdoptIfNoDiff or Enforce (default: AdoptIfNoDiff)" },
      { flags: "--ttl <duration>", help: "how long the token lives, at most 24h (default: 10m)" },
      { flags: "--token-out <file>", help: "write the token there (0600) instead of showing it" },
      { flags: "--wait", help: "wait for its first report also without a terminal" },
      { flags: "--no-wait", help: "do not wait for its first report" },
      flag.dryRun,
      flag.reason,
      flag.output,
    ],
    examples: [
      "cluster add prod-eu-1 --label env=prod --label region=eu",
      "cluster add edge-7 --mode observe --ttl 24h --token-out edge-7.token --no-wait",
      "cluster add ci-1 -o json | jq -r .token",
    ],
    run: addCluster,
  },
  {
    words: "cluster join",
    args: "<id>",
    help: "install the agent where a kubeconfig points; shows what it creates, then creates it",
    flags: [
      ...installFlags,
      { flags: "--context <name>", help: "context of the kubeconfig (default: its current one)" },
      { flags: "--kubeconfig <file>", help: "kubeconfig (default: as kubectl finds it)" },
      flag.dryRun,
    ],
    examples: [
      "cluster join prod-eu-1 --token-file - --context prod-eu-1",
      "cluster join edge-7 --token-file edge-7.token --proxy http://proxy:3128",
    ],
    run: joinCluster,
  },
  {
    words: "cluster manifest",
    args: "<id>",
    help: "print what `cluster join` would create, for kubectl",
    flags: installFlags,
    examples: ["cluster manifest prod-eu-1 --token-file - | kubectl apply -f -"],
    run: async (call) => {
      call.ports.screen.out(manifestYaml(await installation(call)));
      return exit.done;
    },
  },
];

async function addCluster(call: Call): Promise<number> {
  const id = parseClusterId(call.word(0));
  const hub = await call.hub();
  const ttl = ttlOf(call);
  const mode = call.text("mode");
  const request = {
    id,
    labels: parsePairs(call.list("label")),
    annotations: parsePairs(call.list("annotation")),
    mode: mode === undefined ? Mode.UNSPECIFIED : parseMode(mode),
    ...(ttl === undefined ? {} : { ttl }),
    change: call.change(),
  };
  const added = await hub.fleet.addCluster(request, call.signal);
  const out = call.text("tokenOut");
  if (call.flag("dryRun")) call.say(`${id} would be made known (--dry-run)`);
  else if (out !== undefined) await call.ports.files.writePrivate(out, `${added.token}\n`);
  if (!call.flag("dryRun")) invite(call, id, added);
  const { screen } = call.ports;
  const waits = call.flag("wait") || (screen.outputIsTerminal && !call.forProgram && !call.refused("wait"));
  return waits && !call.flag("dryRun") ? waitForCluster(call, id) : exit.done;
}

function invite(call: Call, id: ClusterId, added: AddClusterResponse): void {
  const tokenFile = call.text("tokenOut");
  call.show({
    text: (look) => invitation(id, added, { look, ...(tokenFile === undefined ? {} : { tokenFile }) }),
    data: dataOf(AddClusterResponseSchema, tokenFile === undefined ? added : { ...added, token: "" }),
    names: [`cluster/${id}`],
  });
}

async function waitForCluster(call: Call, id: ClusterId): Promise<number> {
  const { clock, screen } = call.ports;
  const from = clock.monotonic();
  call.say("");
  if (!call.forProgram) screen.out("Waiting for its first report (Ctrl-C leaves the token valid) …");
  const joined = await firstReport(call, id);
  if (joined === undefined) {
    call.say("", `the token stays valid; capstan cluster show ${id} tells when it has joined`);
    return exit.done;
  }
  call.say(
    ` joined after ${span(clock.monotonic() - from)}:`,
    ...joinedLines(joined, await targetsOf(call, id), call.look),
  );
  return exit.done;
}

/** The cluster once its agent has said what it is; undefined when the person stops waiting. */
async function firstReport(call: Call, id: ClusterId): Promise<Cluster | undefined> {
  const hub = await call.hub();
  const watch = (token: string) => hub.fleet.watchClusters({ options: { clusters: [id], token } }, call.signal);
  for await (const { cluster } of resumed(call, watch)) {
    if (cluster?.id === id && cluster.state === ClusterState.CONNECTED && cluster.facts !== undefined) return cluster;
  }
  return undefined;
}

/** What matches it, once its agent has looked at each or has had its time; undefined where the hub does not tell. */
async function targetsOf(call: Call, id: ClusterId): Promise<readonly TargetView[] | undefined> {
  const hub = await call.hub();
  const { clock } = call.ports;
  const end = clock.monotonic() + lookedAtWithin;
  for (;;) {
    const targets = await hub.applications.listTargets({ options: { clusters: [id] } }, call.signal).then(
      (answer) => answer.targets,
      () => undefined,
    );
    const left = end - clock.monotonic();
    if (targets === undefined || targets.every(isLookedAt) || left <= 0 || call.signal.aborted) return targets;
    await clock.sleep(Math.min(left, lookAgainMs), call.signal).catch(() => undefined);
  }
}

/** Whether its agent has met the target's objects, and so knows which are of others. */
function isLookedAt({ report }: TargetView): boolean {
  return report !== undefined && !before.has(report.phase);
}

async function joinCluster(call: Call): Promise<number> {
  const { kube, screen } = call.ports;
  const items = manifestItems(await installation(call));
  const context = call.text("context");
  screen.out(`${context === undefined ? "The kubeconfig's current cluster" : `Context ${context}`} gets:\n`);
  for (const { title } of items) screen.out(`  ${title}\n`);
  if (call.flag("dryRun")) {
    screen.out("nothing was created (--dry-run)\n");
    return exit.done;
  }
  screen.out("\n");
  await kube.apply(
    items,
    { context, kubeconfig: call.text("kubeconfig") },
    ({ title }, outcome) => screen.out(`${title} ${outcome}\n`),
    call.signal,
  );
  screen.out(`The agent is on its way; where you have the hub: capstan cluster show ${call.word(0)}\n`);
  return exit.done;
}

async function installation(call: Call): Promise<Installation> {
  const { files, version } = call.ports;
  const cluster = parseClusterId(call.word(0));
  const file = call.needed("tokenFile", "a join token (--token-file FILE, or - for standard input)");
  const text = file === "-" ? await files.readInput("Join token: ") : await files.read(file);
  const given = call.list("hub");
  return {
    cluster,
    hubs: given.length > 0 ? given : (await accessOf(call.ports)).endpoints,
    token: checkJoinToken(text, cluster),
    image: call.text("image") ?? `capstan-agent:${version}`,
    proxy: call.text("proxy"),
  };
}
