import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureTools } from "../toolchain/tools.ts";
import { HubProcess } from "../world/hub-process.ts";
import { connectAs } from "../world/hub-store.ts";
import { NatsServer } from "../world/nats.ts";
import { makeNatsAccounts } from "../world/nats-accounts.ts";
import { showLogsOnFailure } from "../world/process.ts";
import { TempDir } from "../world/temp.ts";
import { notYet, until } from "../world/wait.ts";
import { webhookSecret } from "../world/world.ts";
import { atOnce, Scenario, simulated } from "./scenario.ts";

const lease = { duration: "3s", renewDeadline: "2s", retry: "500ms" };

test("a leader that stands still is replaced by its standby, and writes nothing when it wakes up", async (context) => {
  const tools = await ensureTools();
  const accounts = await makeNatsAccounts();
  await using folder = await TempDir.make("nats-keys");
  await using nats = await NatsServer.start({ tools, config: accounts.serverConfig });
  await using parts = new AsyncDisposableStack();
  const external = await accounts.hubConfig(folder.path, [nats.url]);
  const store = await connectAs(nats.url, accounts.hubCredentials);
  parts.defer(() => store.close());
  const held: { standby?: HubProcess } = {};
  await using scenario = await Scenario.start(context, {
    clusters: simulated(3),
    apps: ["one", "two"],
    config: { ...atOnce, lease, nats: external, sources: { pollSeconds: 2 } },
    async prepare(world) {
      const roots = [{ name: "fleet", repoURL: world.repository.url, revision: "main", path: "argocd" }];
      const config = { ...atOnce, lease, nats: external, roots, sources: { pollSeconds: 2 } };
      held.standby = await HubProcess.start({ tools, id: "standby", standbyOf: world.hub, webhookSecret, config });
      parts.use(held.standby);
      world.standbys.push(held.standby);
      return store;
    },
  });
  const { standby } = held;
  assert.ok(standby !== undefined);
  const { hub, history } = scenario.world;
  showLogsOnFailure(context, () => [standby.child].filter((child) => child !== undefined));
  await scenario.settled(6);
  await scenario.release("2");
  await scenario.arrived("2");
  assert.equal(await standby.isReady(), false);

  await history.fault("leader stopped", async () => {
    await scenario.release("3", ["one"]);
    hub.pause();
    hub.links.grpc.cut();
    await until("the standby to lead", () => standby.isReady(), 15_000);
    await scenario.arrived("3", { apps: ["one"], bound: 20_000 });
    hub.links.grpc.restore();
    hub.resume();
    await until("the old leader to stand by", async () => !(await hub.isReady()) || notYet("it leads"), 10_000);
    await scenario.commit("Nothing new");
  });
  await scenario.release("4");
  await scenario.arrived("4", { bound: 20_000 });
  const leaders = history.events.flatMap((event) => (event.kind === "leads" ? [event.hub] : []));
  assert.deepEqual(leaders, ["hub", "standby"]);
  history.assertHolds();
});
