import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Scenario, simulated } from "./scenario.ts";

test("a hub's whole archive is put back: nothing goes back, nothing moves, and Git leads again only when told", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["one", "two"] });
  const { hub, history } = scenario.world;
  const archive = join(hub.dataDir, "..", "backup.tar.gz");
  const done = async (...words: readonly string[]) => {
    const { code, stderr } = await hub.cli(words);
    assert.equal(code, 0, stderr);
  };
  await scenario.settled(6);
  await hub.stop();
  await done("hub", "backup", "--data", hub.dataDir, "-f", archive);
  await hub.restart();
  await scenario.release("2");
  await scenario.arrived("2", { bound: 20_000 });
  await scenario.settled(6);
  await history.fault("restored archive", async () => {
    await hub.killAll();
    await rm(hub.dataDir, { recursive: true });
    await done("hub", "restore", "-f", archive, "--data", hub.dataDir);
    await scenario.release("3", ["one"]);
    await hub.restart();
    await scenario.settled(6, 30_000);
    const { system } = await hub.client();
    assert.equal((await system.getHub({})).rebuilding, true);
    await scenario.seenByHub();
    await scenario.arrived("2");
  });
  await done("hub", "rebuild", "end", "--yes", "--reason", "looked at");
  await scenario.arrived("3", { apps: ["one"] });
  await scenario.arrived("2", { apps: ["two"] });
  await hub.stop();
  await hub.restart();
  const { system } = await hub.client();
  assert.equal((await system.getHub({})).rebuilding, false);
  await scenario.settled(6, 30_000);
  await scenario.release("4");
  await scenario.arrived("4", { bound: 20_000 });
  await scenario.settled(6);
  history.assertHolds();
});
