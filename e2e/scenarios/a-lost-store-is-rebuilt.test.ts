import assert from "node:assert/strict";
import { test } from "node:test";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("NATS loses its store whole: nothing goes back, nothing is deleted, and Git leads again only when told", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["one", "two"] });
  const { hub, history } = scenario.world;
  await scenario.settled(6);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(6);
  const held = await scenario.highWaters();
  await history.fault("store lost", async () => {
    await hub.killAll();
    await hub.wipeStore();
    await scenario.release("3", ["one"]);
    await hub.restart();
    // What the clusters hold is known again, and counts; the release that was pushed waits for a person.
    await scenario.settled(6, 30_000);
    const { system } = await hub.client();
    assert.equal((await system.getHub({})).rebuilding, true);
    await scenario.seenByHub();
    await scenario.arrived("2");
  });
  const { code, stderr } = await hub.cli(["hub", "rebuild", "end", "--yes", "--reason", "looked at"]);
  assert.equal(code, 0, stderr);
  await scenario.arrived("3", { apps: ["one"] });
  await scenario.arrived("2", { apps: ["two"] });
  await until(
    "revisions above those from before the loss",
    async () => {
      const now = await scenario.highWaters();
      return [...held].every(([id, before]) => (now.get(id) ?? 0n) > before) || notYet([...now].map(String));
    },
    5_000,
  );
  await scenario.release("4");
  await scenario.arrived("4");
  await scenario.settled(6);
  history.assertHolds();
});
