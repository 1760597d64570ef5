import { test } from "node:test";
import { Scenario, simulated } from "./scenario.ts";

test("NATS dies and comes back: what was pushed meanwhile arrives by itself", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["one", "two"] });
  const { hub, history } = scenario.world;
  await scenario.settled(6);
  await scenario.release("2");
  await scenario.arrived("2");
  await history.fault("NATS killed", async () => {
    await hub.killEmbeddedNats();
    await scenario.release("3");
  });
  await scenario.arrived("3", { bound: 15_000 });
  await scenario.release("4");
  await scenario.arrived("4");
  await scenario.settled(6);
  history.assertHolds();
});
