import assert from "node:assert/strict";
import { test } from "node:test";
import { Scenario, simulated } from "./scenario.ts";

test("NATS is restored from an older copy: no cluster goes back to what the copy says", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["one", "two"] });
  const { hub, history } = scenario.world;
  await scenario.settled(6);
  await hub.killAll();
  const old = await hub.copyStore();
  await hub.restart();
  await scenario.release("2");
  await scenario.arrived("2", { bound: 20_000 });
  await scenario.settled(6);
  await history.fault("older store", async () => {
    await hub.killAll();
    await hub.restoreStore(old);
    await scenario.release("3", ["one"]);
    await hub.restart();
    await scenario.settled(6, 30_000);
    const { system } = await hub.client();
    assert.equal((await system.getHub({})).rebuilding, true);
    await scenario.seenByHub();
    await scenario.arrived("2");
  });
  const { code, stderr } = await hub.cli(["hub", "rebuild", "end", "--yes", "--reason", "looked at"]);
  assert.equal(code, 0, stderr);
  await scenario.arrived("3", { apps: ["one"] });
  await scenario.release("4");
  await scenario.arrived("4");
  await scenario.settled(6);
  history.assertHolds();
});
