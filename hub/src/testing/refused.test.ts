import assert from "node:assert/strict";
import { test } from "node:test";
import { laneKey } from "../rollout/model.ts";
import { abort } from "../rollout/verbs.ts";
import { clusterDocument, fleetOf, manifest, type World } from "./world.ts";

const lane = laneKey("argocd/web", "web");
const never = new AbortController().signal;
const ann = { actor: "ann", reason: "it crashes" };

function phase(world: World): string | undefined {
  return world.hub.rollouts.lane(lane)?.run?.status.phase;
}

function moved(before: Record<string, string>, after: Record<string, string>): string[] {
  return Object.keys(after).filter((place) => after[place] !== before[place]);
}

/** Five clusters that hold "one"; "two" is on the canary alone, where it is degraded. */
async function brokenCanary(): Promise<{ readonly world: World; readonly before: Record<string, string> }> {
  const world = await fleetOf(5);
  const before = world.holds();
  const good = before["a argocd/web-a"];
  world.agent("a").fares((_, digest) => (digest === good ? "healthy" : "degraded"));
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(600);
  assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);
  return { world, before };
}

const out = { "documents/clusters/b.yaml": clusterDocument("b", { env: "test" }) };
const back = { "documents/clusters/b.yaml": clusterDocument("b") };

test("a content that failed on the canary goes nowhere when clusters join, leave or are relabelled", async () => {
  const { world, before } = await brokenCanary();
  // One is named before it joins, the next joins at once.
  world.commit({ "documents/clusters/x.yaml": clusterDocument("x") });
  await world.settle(120_000);
  assert.equal(phase(world), "Paused");
  await world.join("x");
  world.commit({ "documents/clusters/z.yaml": clusterDocument("z") });
  await world.settle();
  await world.join("z");
  for (const files of [out, back, { "documents/clusters/a.yaml": clusterDocument("a", { env: "test" }) }]) {
    world.commit(files);
    await world.settle(60_000);
    assert.equal(phase(world), "Paused");
    assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);
  }
  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.deepEqual(moved(before, world.holds()), ["a argocd/web-a"]);

  world.commit({ "apps/web/web.yaml": manifest("web", "three"), "documents/clusters/a.yaml": clusterDocument("a") });
  world.agent("a").fares(() => "healthy");
  await world.settle(120_000);
  assert.equal(phase(world), "Succeeded");
  assert.equal(new Set(Object.values(world.holds())).size, 1);
  assert.equal(Object.keys(world.holds()).length, 7);
  await world.end();
});

test("what a person aborted stays aborted when a cluster is relabelled, until the person syncs it", async () => {
  const { world, before } = await brokenCanary();
  await world.hub.rollouts.act(lane, abort, ann, never);
  await world.settle(120_000);
  assert.equal(phase(world), "Aborted");
  const after = world.holds();
  for (const files of [out, back, { "documents/clusters/z.yaml": clusterDocument("z") }]) {
    world.commit(files);
    await world.settle(60_000);
    assert.equal(phase(world), "Aborted");
    assert.deepEqual(world.holds(), after);
  }
  await world.join("z");
  await world.settle(30_000);
  assert.deepEqual(moved(before, world.holds()), moved(before, after));
  world.agent("a").fares(() => "healthy");
  await world.hub.rollouts.release(lane, "ann", never);
  await world.settle(120_000);
  assert.equal(phase(world), "Succeeded");
  assert.equal(moved(before, world.holds()).length, 6);
  await world.end();
});

test("a cluster that comes back is not caught up with to what a person aborted", async () => {
  const world = await fleetOf(5);
  const before = world.holds();
  const good = before["c argocd/web-c"];
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(600);
  world.agent("b").disconnect();
  world.agent("c").fares((_, digest) => (digest === good ? "healthy" : "silent"));
  await world.settle(180_000);
  const run = world.hub.rollouts.lane(lane)?.run;
  assert.equal(run?.clusters[1]?.status.is, "Deferred", JSON.stringify(run?.clusters));
  assert.equal(phase(world), "Running");
  await world.hub.rollouts.act(lane, abort, ann, never);
  await world.settle(900_000);
  assert.equal(phase(world), "Aborted");
  world.agent("b").connect();
  await world.settle(120_000);
  assert.equal(phase(world), "Aborted");
  assert.equal(world.holds()["b argocd/web-b"], before["b argocd/web-b"]);
  await world.end();
});

test("a set that is taken away goes, whatever was aborted before", async () => {
  const { world } = await brokenCanary();
  await world.hub.rollouts.act(lane, abort, ann, never);
  await world.settle(120_000);
  assert.equal(phase(world), "Aborted");
  world.commit({ "documents/web.yaml": null });
  await world.settle(60_000);
  assert.notEqual(phase(world), "Aborted");
  await world.end();
});
