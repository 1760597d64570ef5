import assert from "node:assert/strict";
import { test } from "node:test";
import { configApp, neighbourSet } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

const chart = "apiVersion: v2\nname: neighbour\nversion: 1.0.0\n";

test("a failing chart says what Helm said, keeps what runs, and its neighbours go on", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(2) });
  const repoURL = scenario.world.repository.url;
  const set = neighbourSet({ repoURL, path: "neighbour", clusters: ["c-01", "c-02"] });
  const template = "neighbour/templates/config.yaml";
  const files = { "argocd/neighbour.yaml": set, "neighbour/Chart.yaml": chart, [template]: configApp("1") };
  await scenario.publish(files, "A neighbour");
  await scenario.settled(4);

  await scenario.publish({ [template]: '{{ fail "no port was chosen" }}\n' }, "A chart that fails");
  await scenario.complaint("neighbour", /no port was chosen/);
  await scenario.release("2");
  await scenario.arrived("2");
  await scenario.settled(4);
  assert.equal(await scenario.valueOf("c-01", "neighbour"), "1");

  await scenario.publish({ [template]: configApp("2") }, "Mended");
  await scenario.arrived("2", { apps: ["neighbour"] });
});
