import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { notYet, until } from "../world/wait.ts";
import { appFile, configApp } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });
const settings = "/api/v1/namespaces/shop/configmaps/settings";
// Stages: two of the three clusters are asked to wait for the canary.
const config = { defaults: { stableFor: "300ms", healthDeadline: "30s" }, sources: { pollSeconds: 1 } };

test("the link, Git, and the hub go down: clusters hold course, I am told how old it is, and the newest state comes back", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  const clusters = [{ id: "real-1", labels: { env: "prod" }, kind: "real" as const }, ...simulated(2)];
  await using scenario = await Scenario.start(context, { clusters, config });
  const { hub, history, git } = scenario.world;
  const ids = clusters.map(({ id }) => id);
  const real = scenario.world.cluster("real-1");
  const screen = async (...words: string[]) => {
    const { code, stdout, stderr } = await hub.cli(words);
    assert.equal(code, 0, stderr);
    return stdout;
  };
  const shows = (what: string, pattern: RegExp, ...words: string[]) =>
    until(what, async () => pattern.test(await screen(...words)) || notYet(await screen(...words)), {
      bound: 20_000,
      every: 300,
    });
  const heals = async (value: string) => {
    await real.client.merge(settings, { data: { value: "by hand" } });
    await until("the healed drift", async () => (await scenario.valueOf(real)) === value, 15_000);
  };
  await scenario.settled(3, 30_000);
  await scenario.release("2");
  await scenario.arrived("2", { bound: 30_000 });
  await scenario.settled(3, 30_000);

  // The link is down: what clusters hold is shown as it was last heard, and how old that is.
  await history.fault("link down", async () => {
    hub.links.grpc.cut();
    hub.links.nats.cut();
    await shows("who is offline", /0 connected\s+3 offline: .*real-1 \(since \d+ s\)/, "status");
    const status = await screen("status");
    assert.match(status.replace(/\s+/g, " "), /holds? course on (its|their) own/);
    assert.match(status, /3 healthy/);
    assert.match(await screen("cluster", "show", "real-1"), /offline/i);
    await scenario.release("3");
    await scenario.release("4");
    await shows("what waits for them", /deferred|offline|wait/i, "why", "shop");
    await heals("2");
    hub.links.grpc.restore();
    hub.links.nats.restore();
    await scenario.arrived("4", { bound: 60_000 });
  });
  assert.equal(contentsOn(scenario, "real-1").length, 3, "the newest state comes, not the history: 1, 2 and 4");
  await shows("all again", /3 clusters +3 connected/, "status");
  await scenario.settled(3, 60_000);

  // Git is down: it is said, with its age, and nothing moves.
  await history.fault("Git down", async () => {
    const url = scenario.world.repository.url;
    await scenario.publish({ "notes/before.txt": "the last that was read" }, "Before");
    git.fault = "500";
    await shows("what is wrong with Git", /planted failure|500/, "repo", "list", "-o", "json");
    assert.match(await screen("repo", "list"), new RegExp(`${url.slice(-9)}`));
    await heals("4");
    assert.match(await screen("status"), /3 healthy\s+sync: +3 synced/);
    git.fault = "none";
    await scenario.release("5");
    await scenario.arrived("5", { bound: 60_000 });
  });
  await scenario.settled(3, 60_000);

  // The hub is down, with its NATS: the command line says so, and what to do.
  await history.fault("hub down", async () => {
    await hub.killAll();
    const asked = await hub.cli(["status"]);
    assert.equal(asked.code, 69, asked.stdout);
    assert.match(asked.stderr, /\(hub-unreachable\)\n.+/);
    await heals("5");
    for (const id of ids) await scenario.world.cluster(id).agent?.kill();
    await real.client.merge(settings, { data: { value: "by hand" } });
    for (const id of ids) await scenario.world.cluster(id).agent?.restart();
    await until("the healed drift", async () => (await scenario.valueOf(real)) === "5", 30_000);
    await scenario.publish({ [appFile("shop")]: configApp("6") }, "Release 6");
    await hub.restart();
    await scenario.arrived("6", { bound: 60_000 });
  });
  await scenario.release("7");
  await scenario.arrived("7", { bound: 60_000 });
  await scenario.settled(3, 60_000);
  history.assertHolds();
});

/** The different contents of its target that a cluster took, in their order. */
function contentsOn(scenario: Scenario, id: string): readonly string[] {
  const taken = scenario.world.history.events.flatMap((event) =>
    event.kind === "applied" && event.cluster === id ? event.targets.map(({ digest }) => digest) : [],
  );
  return [...new Set(taken)];
}
