import assert from "node:assert/strict";
import { test } from "node:test";
import { agentNamespace } from "../world/holdings.ts";
import { connectHubStore } from "../world/hub-store.ts";
import { notYet, until } from "../world/wait.ts";
import { appFile, configApp } from "./plain-fleet.ts";
import { atOnce, Scenario, simulated } from "./scenario.ts";

const secrets = `/api/v1/namespaces/${agentNamespace}/secrets`;
const robot = "/api/v1/namespaces/shop/serviceaccounts/robot";
const withRobot = `${configApp("1")}---\napiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: robot\n`;

/** What the record breaks, by the names of the invariants. */
function broken({ world }: Scenario): string {
  try {
    world.history.assertHolds();
    return "nothing";
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

test("an agent that was given an older cache is found in the record (promise 1)", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(1) });
  const { client, agent } = scenario.world.cluster("c-01");
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(1);
  const cache = async () => {
    const all = await client.list(secrets);
    return all.filter(({ metadata }) => metadata.name.startsWith("capstan-cache"));
  };
  const older = await cache();
  await scenario.release("3");
  await scenario.arrived("3");
  await scenario.settled(1);
  assert.equal(broken(scenario), "nothing");
  await agent?.kill();
  for (const { metadata } of await cache()) await client.delete(`${secrets}/${metadata.name}`);
  for (const { metadata, ...rest } of older) {
    const { name, labels } = metadata;
    await client.create(secrets, {
      ...rest,
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name, ...(labels === undefined ? {} : { labels }) },
    });
  }
  await until(
    "the step back",
    () => /1-revision-never-back/.test(broken(scenario)) || notYet(broken(scenario)),
    10_000,
  );
});

test("an object that nobody asked to delete is found in the record, of whatever kind (promise 2)", async (context) => {
  await using scenario = await Scenario.start(context, {
    clusters: simulated(1),
    files: () => ({ [appFile("shop")]: withRobot }),
  });
  const { client } = scenario.world.cluster("c-01");
  await scenario.settled(1);
  await scenario.publish({ [appFile("shop")]: withRobot.replace('"1"', '"2"') }, "Something to do");
  await scenario.arrived("2");
  await scenario.settled(1);
  const { events } = scenario.world.history;
  await until(
    "the bundle to be known",
    () => events.some((event) => event.kind === "bundle" && event.objects.includes("v1/ServiceAccount /robot")),
    10_000,
  );
  // By hand, and so recorded: no promise is broken by that.
  await client.delete(robot);
  await until("the account again", async () => (await client.get(robot)) !== undefined, 10_000);
  await until("the record of it", () => events.some((event) => event.kind === "deleted"), 10_000);
  assert.equal(broken(scenario), "nothing");
  client.deleted.clear();
  const { status } = await client.send("DELETE", robot);
  assert.equal(status, 200);
  await until(
    "the deletion",
    () => /2-deletion-explained.*ServiceAccount shop\/robot/.test(broken(scenario)) || notYet(broken(scenario)),
    10_000,
  );
});

test("a write that a hub past its term gets through is found in the record (promise 7)", async (context) => {
  const lease = { duration: "3s", renewDeadline: "2s", retry: "500ms" };
  await using scenario = await Scenario.start(context, { clusters: simulated(1), config: { ...atOnce, lease } });
  const { hub, history } = scenario.world;
  await scenario.settled(1);
  await scenario.release("2");
  await scenario.arrived("2");
  assert.equal(broken(scenario), "nothing");
  assert.ok(history.events.some((event) => event.kind === "wrote" && event.accepted && event.key === "desired.c-01"));
  await using parts = new AsyncDisposableStack();
  const other = await connectHubStore(hub);
  parts.defer(() => other.close());
  const write = (key: string, value: object) =>
    other.request(`$KV.state.${key}`, JSON.stringify(value), { timeout: 5_000 });
  // It takes the lease, as a standby would, and loses it again.
  await write("lease.0", { hub: "other", nonce: "n", epoch: "0", renewedAt: 0 });
  const leaders = () => history.events.flatMap((event) => (event.kind === "leads" ? [event.hub] : []));
  await until("the hub to lead again", () => leaders().join(" ") === "hub other hub" || notYet(leaders()), 15_000);
  assert.equal(broken(scenario), "nothing");
  await write("status.c-99", {});
  await until(
    "the late write",
    () => /7-only-the-leader-writes.*status\.c-99/.test(broken(scenario)) || notYet(broken(scenario)),
    10_000,
  );
});
