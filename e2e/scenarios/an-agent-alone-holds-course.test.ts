import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const settings = "/api/v1/namespaces/shop/configmaps/settings";

test("with the hub gone, an agent that was killed comes back from its own cache and heals drift", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(1) });
  const { hub, history } = scenario.world;
  const cluster = scenario.world.cluster("c-01");
  await scenario.settled(1);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(1);
  await history.fault("hub and NATS gone", async () => {
    await hub.kill();
    await hub.killEmbeddedNats();
    await cluster.agent?.kill();
    await cluster.client.merge(settings, { data: { value: "by hand" } });
    assert.equal(await scenario.valueOf("c-01"), "by hand");
    await scenario.release("3");
    await cluster.agent?.restart();
    await until("the healed drift", async () => (await scenario.valueOf("c-01")) === "2", 5_000);
    // And while it runs: drift is healed, and what was deleted comes back.
    await cluster.client.delete(settings);
    await until("the object again", async () => (await scenario.valueOf("c-01")) === "2", 5_000);
    await hub.restart();
  });
  await scenario.arrived("3");
  await scenario.release("4");
  await scenario.arrived("4");
  await scenario.settled(1);
  history.assertHolds();
});
