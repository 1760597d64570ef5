import assert from "node:assert/strict";
import { test } from "node:test";
import { ClusterState } from "@capstan/proto/fleet";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a revoked cluster is cut within seconds on both channels, keeps what it runs, stays out until it is let in", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  const { hub } = scenario.world;
  await scenario.settled(2);
  const state = async (id: string) => (await (await hub.client()).fleet.getCluster({ id })).cluster?.state;
  const agent = scenario.world.cluster("c-02").agent?.child;
  assert.ok(agent !== undefined);

  await (await hub.client()).fleet.revokeCluster({ id: "c-02", change: { reason: "stolen" } });
  assert.equal(await state("c-02"), ClusterState.REVOKED);
  // The agent itself says so: both of its ways in are shut.
  await until("the agent to be told", () => /revoked/.test(agent.tail) || notYet(agent.tail.slice(-500)), 5_000);
  await until(
    "the end of its NATS session",
    () => /NATS|nats/.test(agent.tail.split("holds revision").at(-1) ?? ""),
    5_000,
  );

  await scenario.release("2");
  await scenario.arrived("2", { clusters: ["c-01"] });
  assert.equal(await scenario.valueOf("c-02"), "1");

  await hub.kill();
  await hub.restart();
  await scenario.release("3");
  await scenario.arrived("3", { clusters: ["c-01"] });
  assert.equal(await state("c-02"), ClusterState.REVOKED);
  assert.equal(await scenario.valueOf("c-02"), "1");

  // Let in again, as the CLI advises: the same process takes the new token and goes on from what it holds.
  const held = (await scenario.highWaters()).get("c-02") ?? 0n;
  const { token } = await (await hub.client()).fleet.addCluster({ id: "c-02" });
  await scenario.world.cluster("c-02").agent?.giveToken(token);
  await scenario.arrived("3", { clusters: ["c-02"], bound: 70_000 });
  assert.ok(((await scenario.highWaters()).get("c-02") ?? 0n) > held);
  assert.match(agent.tail, /joined anew/);
  const connected = async () => {
    const now = await state("c-02");
    return now === ClusterState.CONNECTED || notYet(now);
  };
  await until("c-02 to be connected", connected, 10_000);
  await scenario.release("4");
  await scenario.arrived("4");
});
