import { test } from "node:test";
import { until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a hub killed during distribution goes on where it was", async (context) => {
  const apps = ["one", "two", "three", "four"];
  await using scenario = await Scenario.start(context, { clusters: simulated(6), apps });
  const { hub, history } = scenario.world;
  await scenario.settled(24);
  await scenario.release("2");
  await scenario.arrived("2");
  await history.fault("hub killed", async () => {
    await scenario.release("3");
    await until("the first of the third release", async () => (await scenario.valueOf("c-01", "one")) === "3", 5_000);
    await hub.kill();
    await scenario.release("4", ["one"]);
    await hub.restart();
  });
  await scenario.arrived("4", { apps: ["one"] });
  await scenario.arrived("3", { apps: ["two", "three", "four"] });
  await scenario.release("5");
  await scenario.arrived("5");
  await scenario.settled(24);
  history.assertHolds();
});
