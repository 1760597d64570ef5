import assert from "node:assert/strict";
import { test } from "node:test";
import { approve } from "../rollout/gate-verbs.ts";
import { laneKey } from "../rollout/model.ts";
import { fleetOf, manifest, setDocument, type World } from "./world.ts";

const lane = laneKey("argocd/web", "web");
const never = new AbortController().signal;
const joe = { actor: "joe", reason: "looks good" };
const anyGate = { groups: [], plan: "", stage: "", gate: "" };

/** A set that moves by the strategy `prod` of this spec. */
function staged(spec: string): Record<string, string> {
  const set = setDocument("web");
  return {
    "documents/web.yaml": set.replace("  name: web\n", "  name: web\n  annotations: {capstan.dev/strategy: prod}\n"),
    "documents/strategy.yaml": `apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: prod}\nspec: ${spec}\n`,
  };
}

function status(world: World) {
  return world.hub.rollouts.lane(lane);
}

function touched(world: World, before: Record<string, string>): string[] {
  const after = world.holds();
  return Object.keys(after)
    .filter((place) => after[place] !== before[place])
    .map((place) => place.split(" ")[0] ?? "");
}

async function changed(spec: string, clusters = 4) {
  const world = await fleetOf(clusters);
  world.commit(staged(spec));
  await world.settle(60_000);
  const before = world.holds();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(10_000);
  return { world, before };
}

test("a set's strategy holds at its gate, also over a restart, and goes on by a person's word", async () => {
  const spec = "{stages: [{name: first, select: {clusters: [a]}}, {name: rest, before: [{approval: {}}]}]}";
  const { world, before } = await changed(spec);
  await world.settle(60_000);
  assert.deepEqual(touched(world, before), ["a"]);
  assert.equal(status(world)?.run?.status.phase, "Held");
  assert.match(status(world)?.run?.plan.strategy.name ?? "", /^prod@[0-9a-f]{7}$/);

  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.deepEqual(touched(world, before), ["a"], "no gate is forgotten");
  assert.equal(status(world)?.reason?.rule, "gate-approval");

  await world.hub.rollouts.act(lane, (state, intent) => approve(state, intent, anyGate), joe, never);
  await world.settle(60_000);
  assert.equal(touched(world, before).length, 4);
  assert.equal(status(world)?.run?.status.phase, "Succeeded");
  await world.end();
});

test("a strategy that is edited during a run changes the next run, not this one", async () => {
  const spec = "{stages: [{name: first, select: {clusters: [a]}}, {name: rest, before: [{approval: {}}]}]}";
  const { world, before } = await changed(spec);
  world.commit(staged("{stages: [{name: everything}]}"));
  await world.settle(60_000);
  assert.deepEqual(touched(world, before), ["a"]);
  assert.equal(status(world)?.run?.plan.stages.length, 2);
  world.commit({ "apps/web/web.yaml": manifest("web", "three") });
  await world.settle(60_000);
  assert.equal(touched(world, before).length, 4);
  await world.end();
});

test("a bad metric takes the change back by itself, and a fix goes out without an unpin", async () => {
  const gate = "{name: errors, metric: {url: 'http://prometheus', query: errors, compare: '< 1', window: 1m}}";
  const spec = `{onFailure: rollback, stages: [{name: first, select: {clusters: [a]}, after: [${gate}]}, {name: rest}]}`;
  const { world, before } = await changed(spec);
  await world.settle(120_000);
  assert.equal(status(world)?.reason?.rule, "gate-metric", "no answer is no answer");
  assert.deepEqual(touched(world, before), ["a"]);

  world.answers.set("errors", { verdict: "bad", text: "1.9 is not < 1" });
  await world.settle(120_000);
  assert.deepEqual(world.holds(), before, "the bytes of before");
  assert.equal(status(world)?.past[0]?.status.phase, "RolledBack");
  assert.match(
    status(world)?.run?.plan.reason ?? "",
    /by itself: gate errors of stage first failed: 1 bad readings, 0 allowed: 1.9/,
  );
  await world.restart();
  await world.reconnect();
  await world.settle(300_000);
  assert.deepEqual(world.holds(), before, "the same content is not tried again");

  world.answers.set("errors", { verdict: "good", text: "0 is < 1" });
  world.commit({ "apps/web/web.yaml": manifest("web", "three") });
  await world.settle(300_000);
  assert.equal(touched(world, before).length, 4);
  assert.equal(status(world)?.pin, undefined);
  await world.end();
});

test("a freeze window holds what it selects until it ends, and an emergency passes it", async () => {
  const spec = "{stages: [{name: all}]}";
  const world = await fleetOf(3);
  const freeze =
    'apiVersion: capstan.dev/v1\nkind: FreezeWindow\nmetadata: {name: quarter-end}\nspec: {schedule: "* * * * *", duration: 5m, reason: books, select: {clusters: [b]}}\n';
  world.commit({ ...staged(spec), "documents/freeze.yaml": freeze });
  await world.settle(60_000);
  const before = world.holds();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(120_000);
  assert.deepEqual(touched(world, before), ["a", "c"]);
  assert.equal(status(world)?.reason?.rule, "window");
  assert.match(
    status(world)?.reason?.text ?? "",
    /b: a window that forbids changes is active \(freeze quarter-end: books\)/,
  );

  await world.hub.rollouts.startEmergency(lane, { by: "ann", reason: "the site is down" }, never);
  await world.settle(60_000);
  assert.deepEqual(touched(world, before), ["a", "b", "c"]);
  const sent = world
    .agent("b")
    .taken.at(-1)
    ?.targets.find(({ name }) => name === "web-b");
  assert.equal(sent?.windowOverride?.actor, "ann");
  assert.equal(sent?.windowOverride?.reason, "the site is down");
  await world.end();
});

test("a strategy that is not there, or refuses a cluster, holds the lane and says so", async () => {
  const { world, before } = await changed("{unmatched: fail, stages: [{name: first, select: {clusters: [a]}}]}");
  assert.deepEqual(touched(world, before), []);
  assert.equal(status(world)?.reason?.rule, "plan");
  assert.match(
    status(world)?.reason?.text ?? "",
    /no stage of prod@\w+ selects b, c, d \(3 clusters\), and unmatched is fail/,
  );
  assert.match(status(world)?.reason?.unblock ?? "", /unmatched: last-stage/);
  world.commit({ "documents/strategy.yaml": null });
  await world.settle(60_000);
  assert.deepEqual(touched(world, before), []);
  await world.end();
});
