import assert from "node:assert/strict";
import { it } from "node:test";
import { Fault, targetKey } from "@capstan/proto";
import { describeOnKube } from "../testing/kube-suite.ts";
import { adminAccount, configMap, deployment, type KubeWorld } from "../testing/kube-world.ts";
import { actOn } from "./act.ts";

const apps = "/apis/apps/v1/namespaces/default/deployments";
const fails = (code: string, pattern: RegExp) => (thrown: unknown) =>
  thrown instanceof Fault && thrown.code === code && pattern.test(`${thrown.message} ${thrown.next ?? ""}`);

async function act(
  world: KubeWorld,
  name: string,
  verb: string,
  more: { object?: string; replicas?: number; heals?: boolean } = {},
) {
  const { object = "", replicas = 0, heals = true } = more;
  const input = { target: targetKey("argocd", name), account: adminAccount, heals, action: { verb, object, replicas } };
  return actOn(world.ports, input, world.signal);
}

describeOnKube("actions", (suite) => {
  it("restart, scale, suspend and resume change what Git leaves to others, and no next pass undoes them", async () => {
    const { world } = suite;
    const { replicas: _, ...spec } = (deployment("free") as { spec: { replicas: number } }).spec;
    const free = { ...(deployment("free") as object), spec };
    await world.apply("free", [free, cron, configMap("settings")]);
    assert.equal(await act(world, "free", "restart"), "restart Deployment default/free");
    assert.equal(await act(world, "free", "scale", { replicas: 4 }), "scale Deployment default/free to 4");
    assert.equal(await act(world, "free", "suspend", { object: "cronjob/nightly" }), "suspend CronJob default/nightly");
    await world.apply("free", [free, cron, configMap("settings")], { generation: 2 });
    const live = await world.get(`${apps}/free`);
    const text = JSON.stringify(live?.["spec"]);
    assert.match(text, /"replicas":4/);
    assert.match(text, /kubectl.kubernetes.io\/restartedAt/);
    const managers = (live?.metadata.managedFields ?? []).map(({ manager }) => manager);
    assert.ok(managers.includes("capstan-action"));
    const job = "/apis/batch/v1/namespaces/default/cronjobs/nightly";
    assert.match(JSON.stringify((await world.get(job))?.["spec"]), /"suspend":true/);
    await act(world, "free", "resume", { object: "nightly" });
    assert.match(JSON.stringify((await world.get(job))?.["spec"]), /"suspend":false/);
  });

  it("refuse what the bundle sets where the target heals itself, and do it where it does not", async () => {
    const { world } = suite;
    await world.apply("set", [deployment("set", "nginx:1", 2)]);
    const scale = { replicas: 5 };
    await assert.rejects(
      act(world, "set", "scale", scale),
      fails("object-owned", /spec\.replicas of Deployment default\/set is set by its bundle/),
    );
    await act(world, "set", "scale", { ...scale, heals: false });
    assert.match(JSON.stringify((await world.get(`${apps}/set`))?.["spec"]), /"replicas":5/);
  });

  it("name the choice where several objects know the verb, and touch nothing that is not the target's", async () => {
    const { world } = suite;
    await world.apply("two", [deployment("one"), deployment("other")]);
    await assert.rejects(
      act(world, "two", "restart"),
      fails("bad-input", /found 2 objects.*Deployment\/one, Deployment\/other/),
    );
    await assert.rejects(
      act(world, "two", "restart", { object: "free" }),
      fails("bad-input", /nothing that it could restart/),
    );
    await assert.rejects(act(world, "two", "explode"), fails("bad-input", /expected one of restart, scale/));
  });

  it("carry the verbs of Argo Rollouts to its status", async () => {
    const { world } = suite;
    await world.apply("canary", [rolloutKind]);
    await world.kinds.refresh(world.signal);
    await world.apply("canary", [rolloutKind, rollout], { generation: 2 });
    const path = "/apis/argoproj.io/v1alpha1/namespaces/default/rollouts/web";
    await world.patch(`${path}/status`, { status: { pauseConditions: [{ reason: "CanaryPauseStep" }] } });
    const status = async () => (await world.get(path))?.["status"];
    await act(world, "canary", "promote");
    assert.deepEqual(await status(), {});
    await act(world, "canary", "abort");
    assert.deepEqual(await status(), { abort: true });
    await act(world, "canary", "retry");
    assert.deepEqual(await status(), { abort: false });
    await act(world, "canary", "promote-full");
    assert.deepEqual(await status(), { abort: false, promoteFull: true });
    await act(world, "canary", "suspend");
    assert.match(JSON.stringify((await world.get(path))?.["spec"]), /"paused":true/);
  });
});

const cron = {
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: { name: "nightly" },
  spec: {
    schedule: "0 3 * * *",
    jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } } } },
  },
};
const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const rolloutKind = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "rollouts.argoproj.io" },
  spec: {
    group: "argoproj.io",
    scope: "Namespaced",
    names: { kind: "Rollout", plural: "rollouts", singular: "rollout" },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: { openAPIV3Schema: { type: "object", properties: { spec: open, status: open } } },
      },
    ],
  },
};
const rollout = {
  apiVersion: "argoproj.io/v1alpha1",
  kind: "Rollout",
  metadata: { name: "web" },
  spec: { replicas: 1 },
};
