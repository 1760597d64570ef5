import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { appFile, configApp, neighbourSet } from "./plain-fleet.ts";
import { Scenario, simulated } from "./scenario.ts";

test("I bring ApplicationSets as they are: a dry run says what they make, apply makes it, and diff is the comment in CI", async (context) => {
  await using scenario = await Scenario.start(context, { clusters: simulated(3), apps: ["shop", "cart"] });
  const { hub, history, repository } = scenario.world;
  await scenario.settled(6);
  const mine = neighbourSet({ repoURL: repository.url, path: "apps/shop", clusters: ["c-01", "c-02"], set: "addons" });
  const noted = mine.replace(
    "      project: any\n",
    "      project: any\n      info:\n        - { name: team, value: addons }\n",
  );
  await repository.write({ "mine/addons.yaml": noted, "mine/README.md": "no document\n" });
  const folder = join(repository.path, "mine");

  const tried = await hub.cli(["apply", "-f", folder, "--dry-run"]);
  assert.equal(tried.code, 0, tried.stderr + tried.stdout);
  assert.match(tried.stdout, /^appset\/addons +\S.* list \(2 matched\) +2 targets, 2 new$/m);
  assert.match(
    tried.stdout.replace(/\s+/g, " "),
    /warning appset\/addons \S*addons\.yaml:19:7 spec\.template\.spec\.info is kept/,
  );
  assert.match(tried.stdout, /nothing was changed \(--dry-run\)/);
  assert.equal((await scenario.status()).targets?.total, 6);

  const applied = await hub.cli(["apply", "-f", folder]);
  assert.equal(applied.code, 0, applied.stderr + applied.stdout);
  await scenario.arrived("1", { clusters: ["c-01", "c-02"], apps: ["addons"] });
  await scenario.settled(8);

  // What a root manages is shown against what it would become; nothing moves by looking.
  await repository.edit("argocd/apps.yaml", (text) =>
    text.replace("CreateNamespace=true", "CreateNamespace=true\n          - PruneLast=true"),
  );
  const diff = await hub.cli(["diff", "-f", join(repository.path, "argocd"), "-o", "markdown"]);
  assert.equal(diff.code, 1, diff.stderr + diff.stdout);
  assert.match(diff.stdout, /^\*\*Capstan:\*\* 6 targets would differ\n/);
  assert.match(diff.stdout, /changed, the same on 6 targets/);
  assert.match(diff.stdout, /^\+ {2}- PruneLast=true$/m);
  await repository.git("checkout", "--", "argocd");
  const same = await hub.cli(["diff", "-f", join(repository.path, "argocd"), "-o", "markdown"]);
  assert.equal(same.code, 0, same.stdout);
  await scenario.publish({ [appFile("shop")]: configApp("2") }, "Release 2");
  await scenario.arrived("2", { apps: ["shop"] });
  await scenario.settled(8);
  history.assertHolds();
});
