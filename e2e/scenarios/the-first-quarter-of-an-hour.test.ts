import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { notYet, until } from "../world/wait.ts";
import { Visitor } from "./visitor.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });

test("I start the playground on real API servers, try each line that it shows, and end it with Ctrl-C", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  await using visitor = await Visitor.start(context);
  const { intro } = visitor;
  assert.match(intro[0] ?? "", /a hub with its NATS, a Git server, and 3 clusters with agents on real API servers\./);
  assert.ok(intro.length <= 12, `what runs and what to try stands in ${intro.length} lines`);
  const look = visitor.said("look into dev-1");
  const lookAt = (what: string) =>
    look.replace("get deployments,configmaps -A", `get ${what} -n team-shop-web -o yaml`);
  assert.match(await visitor.types("capstan status"), /3 clusters +3 connected/);
  assert.match(await visitor.types(look), /team-shop-web +deployment\.apps\/web +2\/2/);
  const healthy = () =>
    until(
      "a healthy fleet",
      async () => {
        const screen = await visitor.types("capstan status");
        return /18 targets +health: 18 healthy\s+sync: +18 synced/.test(screen) || notYet(screen);
      },
      { bound: 40_000, every: 300 },
    );

  assert.doesNotMatch(await visitor.types(lookAt("configmaps")), /cart\.limit=75/);
  await visitor.types(visitor.said("push a change"));
  const raised = async () => /cart\.limit=75/.test(await visitor.types(lookAt("configmaps")));
  await until("the change", raised, { bound: 5_000, every: 100 });
  await healthy();

  await visitor.types(visitor.said("break an image"));
  const why = await until(
    "the stop, and why",
    async () => {
      const screen = await visitor.types(visitor.said("see it stop, why"));
      return (/is paused: /.test(screen) && screen) || notYet(screen);
    },
    { bound: 40_000, every: 300 },
  );
  assert.match(why, /"A broken image"/);
  assert.match(why.replace(/\s+/g, " "), /Deployment team-shop-web\/web: 2 of 2 pods crash: .*CrashLoopBackOff/);
  assert.match(why, /capstan rollout rollback team-apps:shop-web/);
  const [, canary = ""] = /canary (\S+) failed/.exec(why) ?? [];
  const held = () => visitor.types(`capstan render shop-web -c ${canary}`);
  assert.match(await held(), /shop-web:broken/, why);
  assert.match(await visitor.types("capstan status"), /1 (degraded|progressing)/);

  await visitor.types(`${visitor.said("take it back")} --yes`);
  await until("the good image", async () => !/shop-web:broken/.test(await held()), { bound: 30_000, every: 200 });
  await healthy();
  await visitor.leaves();
});
