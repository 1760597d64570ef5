import assert from "node:assert/strict";
import { test } from "node:test";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const settings = "/api/v1/namespaces/shop/configmaps/settings";

test("without self-heal, what somebody changes by hand is shown and left as it is", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(1), selfHeal: false });
  await scenario.settled(1);
  const { client } = scenario.world.cluster("c-01");
  await client.merge(settings, { data: { value: "by hand" } });
  await until(
    "the drift to be shown",
    async () => {
      const { targets } = await scenario.status();
      return targets?.drifted === 1 || notYet(targets);
    },
    5_000,
  );
  assert.equal(await scenario.valueOf("c-01"), "by hand");
  // A restart is no reason to write either.
  await scenario.world.cluster("c-01").agent?.kill();
  await scenario.world.cluster("c-01").agent?.restart();
  await until("the agent's return", async () => (await scenario.status()).targets?.drifted === 1, 10_000);
  assert.equal(await scenario.valueOf("c-01"), "by hand");
  // A new release is one.
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(1);
});
