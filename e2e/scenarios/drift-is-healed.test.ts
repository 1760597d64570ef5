import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const settings = "/api/v1/namespaces/shop/configmaps/settings";

test("with self-heal, what somebody changes by hand is put back within seconds", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(1) });
  await scenario.settled(1);
  const { client } = scenario.world.cluster("c-01");
  await client.merge(settings, { data: { value: "by hand" } });
  await until("the old value", async () => (await scenario.valueOf("c-01")) === "1", 5_000);
  await client.delete(settings);
  await until("the object again", async () => (await scenario.valueOf("c-01")) === "1", 5_000);
  // What nobody manages is nobody's business.
  await client.merge(settings, { data: { extra: "mine" } });
  await scenario.release("2");
  await scenario.arrived("2");
  assert.equal(((await client.get(settings))?.["data"] as Record<string, string>)["extra"], "mine");
});
