import assert from "node:assert/strict";
import { test } from "node:test";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a label typo that would empty a cluster is held, and undone by the next commit", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["one", "two", "three"] });
  const { repository, hub, history } = scenario.world;
  await scenario.settled(9);
  const typo = (text: string) => text.replace(/(name: c-02\n {2}labels:\n {4})env:/, "$1evn:");
  await repository.edit("argocd/clusters.yaml", typo);
  await scenario.commit("Tidy up labels");
  const { fleet } = await hub.client();
  const items = async () => (await fleet.listDeletions({})).deletions.flatMap((one) => one.items);
  await until("the held removal", async () => (await items()).length === 3 || notYet(await items()), 10_000);
  await scenario.arrived("1");
  assert.equal((await scenario.status()).targets?.total, 9);

  await repository.edit("argocd/clusters.yaml", (text) => text.replace("evn:", "env:"));
  await scenario.commit("Mend the label");
  await until("nothing held", async () => (await items()).length === 0 || notYet(await items()), 10_000);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(9);
  history.assertHolds();
});
