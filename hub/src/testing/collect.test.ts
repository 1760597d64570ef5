import assert from "node:assert/strict";
import { test } from "node:test";
import { laneKey } from "../rollout/model.ts";
import { fleetOf, manifest } from "./world.ts";

const never = new AbortController().signal;
const hour = 3_600_000;

test("bundles that no state, no run and none of the last releases names are collected; a rollback still finds its own", async () => {
  const world = await fleetOf(2);
  const stored = async () => (await world.store.bundles.digests(never)).map(({ hex }) => `sha256:${hex}`);
  const first = world.holds()["a argocd/web-a"] ?? "";
  for (let turn = 0; turn < 13; turn += 1) {
    world.commit({ "apps/web/web.yaml": manifest("web", `turn ${turn}`) });
    await world.settle(120_000);
  }
  assert.equal((await stored()).length, 14);
  await world.settle(4 * hour);
  const left = await stored();
  assert.equal(left.includes(first), false);
  assert.ok(left.length >= 11 && left.length < 14, `${left.length} bundles`);
  for (const digest of Object.values(world.holds())) assert.ok(left.includes(digest));
  await world.restart();
  await world.reconnect();
  await world.settle(4 * hour);
  assert.deepEqual(await stored(), left);
  const ann = { actor: "ann", reason: "" };
  await world.hub.rollouts.rollBack(laneKey("argocd/web", "web"), { scope: "touched", to: undefined }, ann, never);
  await world.settle(60_000);
  for (const digest of Object.values(world.holds())) assert.ok(left.includes(digest));
  await world.end();
});
