import assert from "node:assert/strict";
import { test } from "node:test";
import { Repository } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { configApp, neighbourSet } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

test("an unreachable repository says so and keeps what it had; its neighbours go on", async (context) => {
  await using scenario = await Scenario.start(context, {
    clusters: simulated(2),
    config: { defaults: { strategy: "AllAtOnce", stableFor: "100ms" }, sources: { pollSeconds: 1 } },
  });
  const { git } = scenario.world;
  const url = await git.create("other");
  await using other = await Repository.clone({ url });
  await other.publish({ "here/config.yaml": configApp("1") }, "The other repository");
  const set = neighbourSet({ repoURL: url, path: "here", clusters: ["c-01", "c-02"] });
  await scenario.publish({ "argocd/neighbour.yaml": set }, "A neighbour");
  await scenario.settled(4);

  git.setFault("other", "500");
  const { applications } = await scenario.world.hub.client();
  await until(
    "the repository's fault to be shown",
    async () => {
      const { repositories } = await applications.listRepositories({});
      return repositories.some((one) => one.url === url && one.fault !== undefined) || notYet(repositories);
    },
    10_000,
  );
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(4);
  assert.equal(await scenario.valueOf("c-01", "neighbour"), "1");

  git.setFault("other", "none");
  await other.publish({ "here/config.yaml": configApp("2") }, "It works again");
  await scenario.arrived("2", { apps: ["neighbour"], bound: 20_000 });
});
