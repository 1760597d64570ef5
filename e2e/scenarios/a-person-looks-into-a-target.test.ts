import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { notYet, until } from "../world/wait.ts";
import { appFile, deploymentApp } from "./plain-fleet.ts";
import { Scenario } from "./scenario.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });

test("a person sees why a workload fails, its tree and its events; logs ask for a right and leave a record", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  await using scenario = await Scenario.start(context, {
    clusters: [{ id: "c-01", labels: { env: "prod" }, kind: "real" }],
    files: () => ({ [appFile("shop")]: deploymentApp("registry.example.com/shop:broken") }),
  });
  const { hub } = scenario.world;
  const name = "shop-c-01";
  const cli = async (...words: readonly string[]) => {
    const { code, stdout, stderr } = await hub.cli([...words]);
    return { code, out: stdout, err: stderr };
  };
  await until(
    "the cause on the status screen",
    async () => {
      const { out } = await cli("status");
      return /of 2 pods crash: container web\s+exits with code 1 \(CrashLoopBackOff/.test(out) || notYet(out);
    },
    60_000,
  );
  assert.match((await cli("why", name)).out, /Deployment shop\/web: 2 of 2\s+pods crash/);

  const tree = await cli("tree", name, "-c", "c-01");
  assert.equal(tree.code, 0, tree.err);
  assert.match(tree.out, /^Deployment shop\/web +Progressing/m);
  assert.match(tree.out, /^└─ ReplicaSet web-/m);
  assert.match(tree.out, /^ {3}├─ Pod web-.* Degraded +0\/1 ready/m);
  assert.ok(tree.out.split("\n").every((line) => line.length <= 100));

  const involvedObject = { apiVersion: "apps/v1", kind: "Deployment", namespace: "shop", name: "web" };
  const event = { involvedObject, reason: "Noted", message: "somebody noted this", type: "Normal" };
  const events = "/api/v1/namespaces/shop/events";
  await scenario.world.cluster("c-01").client.create(events, { metadata: { name: "web.1" }, ...event });
  assert.match((await cli("events", name)).out, /Noted +Deployment shop\/web +somebody noted this/);

  // There is no kubelet to ask: what counts is that the question is allowed, recorded, and answered.
  assert.equal((await cli("logs", name, "--tail", "5")).code, 0);
  const { system } = await hub.client();
  const { entries } = await system.listAudit({});
  const looks = entries.filter(({ action }) => action === "target.logs");
  assert.ok(looks.length > 0, "no record of the look");
  assert.match(looks[0]?.resource ?? "", /shop-c-01/);

  const restarted = await cli("action", "restart", name, "Deployment/web", "-y", "--reason", "it hangs");
  assert.equal(restarted.code, 0, restarted.err);
  assert.match(restarted.out, /argocd\/shop-c-01 on c-01: restart Deployment shop\/web/);
  const live = await scenario.world.cluster("c-01").client.get("/apis/apps/v1/namespaces/shop/deployments/web");
  assert.match(JSON.stringify(live?.["spec"]), /kubectl.kubernetes.io\/restartedAt/);
  const refused = await cli("action", "scale", name, "--replicas", "7", "-y");
  assert.equal(refused.code, 2, refused.out);
  assert.match(refused.err, /spec\.replicas of Deployment shop\/web is set by its bundle.*\(object-owned\)/);
  const after = (await system.listAudit({})).entries.filter(({ action }) => action === "target.act");
  assert.ok(after.length >= 2, "actions leave records");
});
