import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId } from "@capstan/proto";
import { laneKey } from "../rollout/model.ts";
import { stateKey } from "../store/keys.ts";
import { clusterDocument, fleetOf, manifest, setDocument, type World } from "./world.ts";

const lane = laneKey("argocd/web", "web");
const never = new AbortController().signal;
const ann = { actor: "ann", reason: "it crashes" };

function status(world: World) {
  return world.hub.rollouts.lane(lane);
}

function moved(before: Record<string, string>, after: Record<string, string>): string[] {
  return Object.keys(after).filter((place) => after[place] !== before[place]);
}

function generations(world: World): Record<string, readonly bigint[]> {
  return Object.fromEntries(
    [...world.agents].map(([id, { taken }]) => [
      id,
      taken.flatMap(({ targets }) => targets.map((one) => one.generation)),
    ]),
  );
}

test("a first apply reaches every cluster", async () => {
  const world = await fleetOf(4);
  assert.equal(Object.keys(world.holds()).length, 4);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  await world.end();
});

test("a commit moves a lane by one canary, then in steps", async () => {
  const world = await fleetOf(5);
  const before = world.holds();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(600);
  assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);
  await world.settle(60_000);
  assert.equal(moved(before, world.holds()).length, 5);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  await world.end();
});

test("a canary that fails stops the run; nothing else is touched; a rollback and its pin outlive the hub", async () => {
  const world = await fleetOf(5);
  const before = world.holds();
  const good = before["a argocd/web-a"];
  world.agent("a").fares((_, digest) => (digest === good ? "healthy" : "degraded"));
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(120_000);
  assert.equal(status(world)?.run?.status.phase, "Paused");
  assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);
  await world.hub.rollouts.rollBack(lane, { scope: "touched", to: undefined }, ann, never);
  await world.settle(30_000);
  assert.deepEqual(world.holds(), before);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  assert.equal(status(world)?.past[0]?.status.phase, "RolledBack");

  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.equal(status(world)?.pin?.by, "ann");
  assert.equal(status(world)?.reason?.rule, "pinned");
  assert.deepEqual(world.holds(), before);

  world.agent("a").fares(() => "healthy");
  await world.hub.rollouts.unpin(lane, never);
  await world.settle(90_000);
  assert.equal(moved(before, world.holds()).length, 5);
  await world.end();
});

test("a rollback of which nothing is left to do leaves no run behind that nothing can end", async () => {
  const world = await fleetOf(3);
  world.agent("a").fares(() => "degraded");
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(90_000);
  await world.hub.rollouts.rollBack(lane, { scope: "failed", to: undefined }, ann, never);
  world.agent("a").fares(() => "healthy");
  await world.settle(30_000);
  await assert.rejects(
    world.hub.rollouts.rollBack(lane, { scope: "failed", to: undefined }, ann, never),
    /nothing to roll back|already/,
  );
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  await world.end();
});

test("a hub that is killed in the middle of a run dispatches nobody twice", async () => {
  const world = await fleetOf(6);
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  for (let kill = 0; kill < 6; kill += 1) {
    await world.settle(700);
    await world.restart();
    await world.reconnect();
  }
  await world.settle(120_000);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  for (const [cluster, seen] of Object.entries(generations(world))) {
    assert.equal(new Set(seen).size, 2, `${cluster} was given ${seen.join(", ")}`);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => Number(a - b)),
    );
  }
  await world.end();
});

test("a hub that leads again, the same process, works everything out anew", async () => {
  const world = await fleetOf(3);
  await world.yields();
  world.commit({
    "apps/web/web.yaml": manifest("web", "two"),
    "documents/x.yaml": setDocument("x", { path: "apps/web" }),
  });
  await world.lead();
  await world.reconnect();
  await world.settle(60_000);
  assert.equal(Object.keys(world.holds()).length, 6);
  assert.equal(new Set(Object.values(world.holds())).size, 1);
  await world.end();
});

test("AllAtOnce moves everything at once", async () => {
  const world = await fleetOf(5, { spec: "  strategy: { type: AllAtOnce }\n" });
  const before = world.holds();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(600);
  assert.equal(moved(before, world.holds()).length, 5);
  await world.end();
});

test("without automated sync a release waits for a person, and goes by stages then", async () => {
  const world = await fleetOf(3, { automated: false });
  assert.deepEqual(world.holds(), {});
  await world.hub.rollouts.release(lane, "ann", never);
  await world.settle(10_000);
  assert.equal(Object.keys(world.holds()).length, 3);
  const before = world.holds();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(60_000);
  assert.deepEqual(world.holds(), before);
  await world.hub.rollouts.release(lane, "ann", never);
  await world.settle(600);
  assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);
  await world.end();
});

test("a cluster that is offline is deferred, and caught up with when it is back", async () => {
  const world = await fleetOf(4);
  const before = world.holds();
  world.agent("c").disconnect();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(300_000);
  assert.equal(status(world)?.run?.status.phase, "SucceededWithDeferred");
  assert.equal(moved(before, world.holds()).length, 3);
  world.agent("c").connect();
  await world.settle(60_000);
  assert.equal(moved(before, world.holds()).length, 4);
  await world.end();
});

test("a cordoned cluster is given nothing new until it is uncordoned", async () => {
  const world = await fleetOf(4);
  const before = world.holds();
  await world.hub.clusters.edit("a" as ClusterId, { cordoned: true }, never);
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(300_000);
  assert.deepEqual(moved(before, world.holds()), ["b argocd/web-b", "c argocd/web-c", "d argocd/web-d"]);
  assert.equal(status(world)?.run?.status.phase, "SucceededWithDeferred");
  await world.hub.clusters.edit("a" as ClusterId, { cordoned: false }, never);
  await world.settle(60_000);
  assert.equal(moved(before, world.holds()).length, 4);
  await world.end();
});

test("a cluster that joins takes what the others have", async () => {
  const world = await fleetOf(3);
  world.commit({ "documents/clusters/z.yaml": clusterDocument("z") });
  await world.settle();
  await world.join("z");
  await world.settle(30_000);
  assert.equal(world.holds()["z argocd/web-z"], world.holds()["a argocd/web-a"]);
  await world.end();
});

test("a window acts at once, without a new generation", async () => {
  const project = (windows: string) =>
    `apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: { name: default }\nspec:\n  sourceRepos: ["*"]\n  destinations: [{ namespace: "*", server: "*", name: "*" }]\n  clusterResourceWhitelist: [{ group: "*", kind: "*" }]\n${windows}`;
  const world = await fleetOf(2, {}, { "documents/project.yaml": project("") });
  const before = world.agent("a").state;
  assert.equal(before?.targets.length, 1);
  world.commit({
    "documents/project.yaml": project(
      `  syncWindows: [{ kind: deny, schedule: "0 22 * * *", duration: 1h, applications: ["*"], clusters: ["*"], namespaces: ["*"] }]\n`,
    ),
  });
  await world.settle(5000);
  const after = world.agent("a").state;
  assert.equal(after?.targets[0]?.windows.length, 1);
  assert.equal(after?.targets[0]?.generation, before?.targets[0]?.generation);
  await world.end();
});

test("a person's word outlives a hub that dies before it acted on it, and counts once", async () => {
  const world = await fleetOf(3, { automated: false });
  await world.hub.rollouts.release(lane, "ann", never);
  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.equal(Object.keys(world.holds()).length, 3);
  assert.equal(status(world)?.run?.plan.actor, "ann");
  assert.deepEqual(await world.store.state.list("released.", never), []);
  // As if the hub had died between the run's begin and the end of the word.
  const { plan } = status(world)?.run ?? assert.fail("no run");
  const word = { lane, release: plan.release, by: "ann", at: plan.plannedAt };
  await world.store.state.put(stateKey("released", lane), new TextEncoder().encode(JSON.stringify(word)), never);
  const before = status(world)?.past.length;
  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.equal(status(world)?.past.length, before);
  await world.end();
});

test("a record that cannot be read stops its own lane alone, until a person lets that go", async () => {
  const other = { "documents/api.yaml": setDocument("api"), "apps/api/api.yaml": manifest("api", "one") };
  const world = await fleetOf(3, {}, other);
  world.agent("a").fares(() => "silent");
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(600);
  const run = status(world)?.run?.plan.run ?? assert.fail("no run");
  const record = await world.store.records.append(run, new TextEncoder().encode("no record"), never);
  const head = await world.store.state.get(stateKey("head", run), never);
  const text = new TextDecoder().decode(head?.value).replace(/"last":"\d+"/, `"last":"${record}"`);
  await world.store.state.put(stateKey("head", run), new TextEncoder().encode(text), never);
  const held = world.holds();
  await world.restart();
  await world.reconnect();
  world.agent("a").fares(() => "healthy");
  world.commit({ "apps/api/api.yaml": manifest("api", "two"), "apps/web/web.yaml": manifest("web", "three") });
  await world.settle(60_000);
  assert.deepEqual(
    new Set(moved(held, world.holds()).map((place) => place.split("/")[1]?.slice(0, 3))),
    new Set(["api"]),
  );
  assert.equal(status(world)?.reason?.rule, "record-unreadable");
  assert.ok(world.log.some((line) => line.includes(run)));
  await world.hub.rollouts.release(lane, "ann", never);
  await world.settle(60_000);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  assert.equal(status(world)?.reason, null);
  assert.equal(await world.store.state.get(stateKey("head", run), never), undefined);
  await world.end();
});

test("heads of runs that no lane shows any more are collected", async () => {
  const world = await fleetOf(1);
  for (let round = 0; round < 14; round++) {
    world.commit({ "apps/web/web.yaml": manifest("web", `round ${round}`) });
    await world.settle(10_000);
  }
  assert.equal(status(world)?.past.length, 10);
  assert.equal((await world.store.state.list("head.", never)).length, 11);
  await world.end();
});
