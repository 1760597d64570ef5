import assert from "node:assert/strict";
import { test } from "node:test";
import { notYet, until } from "../world/wait.ts";
import { appFile, deploymentApp } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

const web = "/apis/apps/v1/namespaces/shop/deployments/web";
const good = "registry.example.com/shop:1";
const config = { defaults: { stableFor: "500ms", healthDeadline: "4s" } };

test("a broken image stops at the canary, why says so, and a rollback brings the old bytes back and pins", async (context) => {
  await using scenario = await Scenario.start(context, {
    clusters: simulated(4),
    config,
    files: () => ({ [appFile("shop")]: deploymentApp(good) }),
  });
  const { hub, history } = scenario.world;
  await scenario.settled(4);
  const { rollouts } = await hub.client();
  const last = async () => {
    const { rollouts: all } = await rollouts.listRollouts({ lane: "shop", all: true });
    return all.toSorted((a, b) => Number((b.startedAt?.seconds ?? 0n) - (a.startedAt?.seconds ?? 0n)))[0];
  };
  await until("the end of the first rollout", async () => (await last())?.state === "Succeeded", 10_000);
  const imageOn = async (id: string) => {
    const found = await scenario.world.cluster(id).client.get(web);
    return JSON.stringify(found?.["spec"]).match(/"image":"([^"]*)"/)?.[1];
  };
  const images = () => Promise.all(["c-01", "c-02", "c-03", "c-04"].map(imageOn));
  const before = await bytesOf(scenario);

  await scenario.publish({ [appFile("shop")]: deploymentApp("registry.example.com/shop:broken") }, "A broken image");
  const paused = await until(
    "the pause",
    async () => {
      const run = await last();
      return (run?.state === "Paused" && run) || notYet([run?.state, run?.reason?.message]);
    },
    15_000,
  );
  assert.match(paused.reason?.message ?? "", /canary|c-01/);
  assert.deepEqual(await images(), ["registry.example.com/shop:broken", good, good, good]);
  const why = await hub.cli(["why", "shop"]);
  assert.equal(why.code, 0, why.stderr);
  assert.match(why.stdout, /c-01/);
  assert.match(why.stdout, /paused/i);
  const said = why.stdout.replace(/\s+/g, " ");
  assert.match(said, /"A broken image" is paused: canary c-01 failed \(allowed: 0 failures\), since \d\d:\d\d/);
  assert.match(said, /Deployment shop\/web: 2 of 2 pods crash: container web .*CrashLoopBackOff/);
  assert.match(said, /3 clusters were not touched/);
  assert.match(said, /capstan rollout rollback apps:shop +back to \S+ on the 1 touched cluster/);
  assert.match(said, /capstan rollout retry apps:shop/);
  // One screen says the same of the fleet, and every fact of it is there for programs.
  const status = await hub.cli(["status"]);
  const screen = status.stdout.replace(/\s+/g, " ");
  assert.match(screen, /4 clusters 4 connected 4 targets health: 3 healthy 1 (progressing|degraded)/);
  assert.match(
    screen,
    /rollouts apps:shop "A broken image" \(\w+, Mira\) stage \d\/\d canary 0\/1 cluster paused: canary c-01/,
  );
  assert.match(screen, /as of \d+ s ago/);
  const facts = JSON.parse((await hub.cli(["status", "-o", "json"])).stdout) as { readonly targets: object };
  assert.match(JSON.stringify(facts), /"healthy":3\b/);

  const back = await hub.cli(["rollout", "rollback", "shop", "--yes"]);
  assert.equal(back.code, 0, back.stderr);
  await until(
    "the old image",
    async () => (await images()).every((image) => image === good) || notYet(await images()),
    10_000,
  );
  await scenario.settled(4);
  assert.deepEqual(await bytesOf(scenario), before);

  // Pinned: Git does not lead until somebody says so.
  await scenario.publish({ [appFile("shop")]: deploymentApp("registry.example.com/shop:2") }, "A mended image");
  await scenario.seenByHub();
  assert.deepEqual(await images(), [good, good, good, good]);
  const unpin = await hub.cli(["rollout", "unpin", "shop", "--yes"]);
  assert.equal(unpin.code, 0, unpin.stderr);
  await until("the mended image", async () => (await images()).every((image) => image?.endsWith(":2")), 15_000);
  history.assertHolds();
});

/** The digests that clusters hold of the one target each. */
async function bytesOf(scenario: Scenario): Promise<readonly string[]> {
  const digests: string[] = [];
  for (const event of scenario.world.history.events) {
    if (event.kind !== "applied") continue;
    const at = Number(event.cluster.slice(2)) - 1;
    digests[at] = event.targets.map(({ digest }) => digest).join(" ");
  }
  return digests;
}
