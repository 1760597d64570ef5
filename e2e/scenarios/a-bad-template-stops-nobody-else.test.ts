import assert from "node:assert/strict";
import { test } from "node:test";
import { configApp, neighbourSet } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

test("a bad template is named with its cure, removes nothing, and its neighbours go on", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  const repoURL = scenario.world.repository.url;
  const neighbour = { repoURL, path: "neighbour", clusters: ["c-01", "c-02"] };
  const file = "argocd/neighbour.yaml";
  await scenario.publish({ [file]: neighbourSet(neighbour), "neighbour/a.yaml": configApp("1") }, "A neighbour");
  await scenario.settled(4);

  await scenario.publish({ [file]: neighbourSet({ ...neighbour, name: "neighbour-{{.clutser}}" }) }, "A slip");
  const said = await scenario.complaint("neighbour", /clutser/);
  assert.ok(said.length < 2_000);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(4);
  assert.equal(await scenario.valueOf("c-02", "neighbour"), "1");

  await scenario.publish({ [file]: neighbourSet(neighbour), "neighbour/a.yaml": configApp("2") }, "Mended");
  await scenario.arrived("2", { apps: ["neighbour"] });
  await scenario.settled(4);
});
