import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterState } from "@capstan/proto/fleet";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a cluster that cannot be reached is left behind; when it is back it gets the newest state, not the history", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3) });
  const { hub, history } = scenario.world;
  const away = scenario.world.cluster("c-02");
  await scenario.settled(3);
  await scenario.release("2");
  await scenario.arrived("2");
  await history.fault("c-02 away", async () => {
    await away.agent?.kill();
    const state = async () => (await (await hub.client()).fleet.getCluster({ id: "c-02" })).cluster?.state;
    await until(
      "it to be shown as offline",
      async () => (await state()) === ClusterState.OFFLINE || notYet(await state()),
      10_000,
    );
    for (const value of ["3", "4"]) {
      await scenario.release(value);
      await scenario.arrived(value, { clusters: ["c-01", "c-03"] });
    }
    assert.equal(await scenario.valueOf("c-02"), "2");
    await away.agent?.restart();
  });
  await scenario.arrived("4", { clusters: ["c-02"] });
  await scenario.release("5");
  await scenario.arrived("5");
  await scenario.settled(3);
  const generations = history.events.flatMap((event) =>
    event.kind === "applied" && event.cluster === "c-02" ? event.targets.map(({ generation }) => generation) : [],
  );
  assert.ok(new Set(generations).size <= 4, `one generation for what it missed, found ${generations.join(" ")}`);
  history.assertHolds();
});
