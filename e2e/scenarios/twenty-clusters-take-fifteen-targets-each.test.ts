import assert from "node:assert/strict";
import { test } from "node:test";
import { Scenario, simulated } from "./scenario.ts";

test("twenty clusters take fifteen targets each, and one push reaches them all", async (context) => {
  const apps = Array.from({ length: 15 }, (_, at) => `app-${String(at + 1).padStart(2, "0")}`);
  await using scenario = await Scenario.start(context, { clusters: simulated(20), apps });
  await scenario.settled(300, 40_000);
  await scenario.release("2", ["app-07"]);
  await scenario.arrived("2", { apps: ["app-07"] });
  assert.equal(await scenario.valueOf("c-20", "app-08"), "1");
  await scenario.settled(300);
  scenario.world.history.assertHolds();
});
