import assert from "node:assert/strict";
import { test } from "node:test";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a set that vanishes from Git is held until somebody approves exactly that; then its objects go", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2), apps: ["one", "two"] });
  const { repository, hub, history } = scenario.world;
  await scenario.settled(4);
  await repository.deleteFiles("argocd/apps.yaml");
  await scenario.commit("Away with it");

  const { fleet } = await hub.client();
  const held = await until(
    "the held removal",
    async () => {
      const { deletions } = await fleet.listDeletions({});
      const items = deletions.flatMap((one) => one.items);
      return (items.length === 4 && deletions) || notYet(deletions.map(({ id, items: list }) => [id, list]));
    },
    10_000,
  );
  await scenario.arrived("1");
  await scenario.settled(4);

  for (const { id } of held) await fleet.approveDeletion({ id, change: { reason: "it is meant" } });
  for (const cluster of ["c-01", "c-02"]) {
    for (const app of ["one", "two"]) {
      await until(`the end of ${app}`, async () => (await scenario.valueOf(cluster, app)) === undefined, 10_000);
    }
  }
  await scenario.settled(0);
  const causes = history.events.flatMap((event) => (event.kind === "deleted" ? [event.cause.kind] : []));
  assert.deepEqual(causes, ["tombstone", "tombstone", "tombstone", "tombstone"]);
  history.assertHolds();
});
