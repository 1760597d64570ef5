import assert from "node:assert/strict";
import { it } from "node:test";
import { targetKey } from "@capstan/proto";
import { KubeLooks } from "../platform/kube/looks.ts";
import { describeOnKube, type KubeSuite } from "../testing/kube-suite.ts";
import { deployment, KubeWorld } from "../testing/kube-world.ts";
import { until } from "../testing/until.ts";
import { TargetWatcher } from "./watcher.ts";

const namespace = "/namespaces/default";

/** A watched world, in which the test plays controllers and kubelets. */
async function watched(suite: KubeSuite, work: (world: KubeWorld, watcher: TargetWatcher) => Promise<void>) {
  const world = new KubeWorld(suite.server);
  const { memory, clock } = world.ports;
  const watcher = new TargetWatcher({
    watches: world.reflector,
    memory,
    clock,
    looks: new KubeLooks(world.client, world.kinds),
  });
  const stop = new AbortController();
  const done = watcher.run(() => undefined, stop.signal);
  try {
    await work(world, watcher);
  } finally {
    stop.abort();
    await done;
    world.stop();
  }
}

/** What a controller and a kubelet write: a status, and pods of a ReplicaSet that wait with a reason. */
async function failing(world: KubeWorld, name: string, waiting: { reason: string; message: string }): Promise<void> {
  const path = `/apis/apps/v1${namespace}/deployments/${name}`;
  const live = await world.get(path);
  await world.patch(`${path}/status`, {
    status: { observedGeneration: live?.metadata.generation, replicas: 2, updatedReplicas: 2, unavailableReplicas: 2 },
  });
  for (const pod of [`${name}-1`, `${name}-2`]) {
    await world.send("POST", `/api/v1${namespace}/pods`, podOf(name, pod));
    const containerStatuses = [
      { name: "main", image: "i", imageID: "", ready: false, restartCount: 0, state: { waiting } },
    ];
    await world.patch(`/api/v1${namespace}/pods/${pod}/status`, { status: { phase: "Pending", containerStatuses } });
  }
}

function podOf(owner: string, name: string) {
  const uid = "11111111-2222-3333-4444-555555555555";
  const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: `${owner}-7d`, uid, controller: true }];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: owner }, ownerReferences },
    spec: { containers: [{ name: "main", image: "registry.example/web:9" }] },
  };
}

describeOnKube("pod causes", (suite) => {
  it("tells on the workload why its pods do not work, and no longer when they do", async () => {
    await watched(suite, async (world, watcher) => {
      await world.send("POST", `/api/v1${namespace}/serviceaccounts`, { metadata: { name: "default" } });
      const target = targetKey("argocd", "causes");
      const result = await world.apply("causes", [deployment("sick", "registry.example/web:9", 2)]);
      watcher.track(result.inventory);
      await failing(world, "sick", { reason: "ErrImagePull", message: "registry.example/web:9: not found" });
      const line = "2 of 2 pods cannot pull image registry.example/web:9: not found";
      await until(() => watcher.health(target).message.includes(line));
      assert.equal(watcher.health(target).message, `Deployment default/sick: ${line}`);
      const path = `/apis/apps/v1${namespace}/deployments/sick`;
      const ready = { readyReplicas: 2, availableReplicas: 2, unavailableReplicas: 0 };
      await world.patch(`${path}/status`, { status: { replicas: 2, updatedReplicas: 2, ...ready } });
      await until(() => watcher.health(target).status === "Healthy");
    });
  });

  it("asks no pods of workloads that their controller has not seen", async () => {
    await watched(suite, async (world, watcher) => {
      const result = await world.apply("unseen", [deployment("unseen")]);
      watcher.track(result.inventory);
      await until(() => watcher.health(targetKey("argocd", "unseen")).message.includes("waiting for the controller"));
      assert.deepEqual(
        world.requests.filter(({ path }) => path.includes("/pods")),
        [],
      );
    });
  });
});
