import assert from "node:assert/strict";
import { test } from "node:test";
import { generous } from "@capstan/proto/testing";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { notYet, until } from "../world/wait.ts";
import { appFile } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });
const promised = 30_000;
const config = { defaults: { stableFor: "300ms", healthDeadline: "20s" } };

test("I roll a lane back on the whole fleet: byte for byte, in half a minute, pinned until I let Git lead again", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  const clusters = [{ id: "real-1", labels: { env: "prod" }, kind: "real" as const }, ...simulated(9)];
  await using scenario = await Scenario.start(context, { clusters, apps: ["shop", "cart"], config });
  const { hub, history, repository } = scenario.world;
  const settings = "/api/v1/namespaces/shop/configmaps/settings";
  const all = [...scenario.world.clusters.values()];
  /** The objects as they stand, but for what each write changes of itself. */
  const bytes = async () => {
    const found = await Promise.all(all.map(({ client }) => client.get(settings)));
    return found.map((object) => JSON.stringify([object?.["data"], object?.metadata.labels]));
  };
  const digests = async () => {
    const { applications } = await hub.client();
    const { targets } = await applications.listTargets({ lane: "shop" });
    return targets.map(({ name, digest }) => `${name} ${digest}`).sort();
  };
  await scenario.settled(20, 30_000);
  const ended = (subject: string) =>
    until(
      `the end of ${subject}`,
      async () => {
        const { rollouts } = await hub.client();
        const { rollouts: runs } = await rollouts.listRollouts({ lane: "shop", all: true });
        const run = runs.find(({ release }) => release?.subject === subject);
        return run?.state === "Succeeded" || notYet(runs.map(({ release, state }) => `${release?.subject} ${state}`));
      },
      { bound: 60_000, every: 200 },
    );
  await ended("The fleet");
  const [before, digestsBefore] = [await bytes(), await digests()];
  await scenario.release("2", ["shop"]);
  await ended("Release 2");
  await scenario.arrived("2", { apps: ["shop"] });

  const began = performance.now();
  const back = await hub.cli([
    "rollout",
    "rollback",
    "shop",
    "--scope",
    "all",
    "--yes",
    "--wait",
    "--reason",
    "it hurts",
  ]);
  const took = performance.now() - began;
  assert.equal(back.code, 0, back.stderr + back.stdout);
  context.diagnostic(`the fleet was back after ${Math.round(took)} ms`);
  assert.ok(took < generous(promised), `${took} ms`);
  assert.match(back.stdout, /10\/10 clusters/, "a live count");
  assert.deepEqual(await bytes(), before);
  assert.deepEqual(await digests(), digestsBefore);
  await scenario.arrived("1", { apps: ["shop"] });

  // It says that it is pinned, by whom, since when, and how Git leads again; the other lane goes on meanwhile.
  const why = await hub.cli(["why", "shop"]);
  assert.match(why.stdout, /is pinned to \S+ "The fleet" by admin \(it hurts\), since \d\d:\d\d/);
  assert.match(why.stdout, /capstan rollout unpin apps:shop +Git leads again/);
  const status = await hub.cli(["status"]);
  assert.match(status.stdout, /needs a look\s+waiting +apps:shop +apps:shop is pinned/);
  await scenario.release("3");
  await scenario.arrived("3", { apps: ["cart"], bound: 60_000 });
  await scenario.seenByHub();
  assert.deepEqual(await bytes(), before, "Git does not lead");
  // Self-heal keeps what was rolled back to, and does not fight it.
  const [first] = all;
  await first?.client.merge(settings, { data: { value: "by hand" } });
  await until("the healed drift", async () => (await bytes())[0] === before[0] || notYet(await bytes()), 15_000);
  const unpin = await hub.cli(["rollout", "unpin", "shop", "--yes"]);
  assert.equal(unpin.code, 0, unpin.stderr);
  await scenario.arrived("3", { apps: ["shop"], bound: 60_000 });
  assert.match(await repository.read(appFile("shop")), /"3"/);
  await scenario.settled(20, 30_000);
  history.assertHolds();
});
