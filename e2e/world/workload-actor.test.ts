import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { ApiServer } from "./api-server.ts";
import { KubeClient } from "./kube-client.ts";
import { notYet, until } from "./wait.ts";
import { WorkloadActor } from "./workload-actor.ts";

const tools = await ensureTools(["kubectl"], { ifPresent: ["kubeApiserver", "etcd", "kubeControllerManager"] });
const path = "/apis/apps/v1/namespaces/default/deployments/web";
const deployment = (image: string) => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web" },
  spec: {
    replicas: 2,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: { containers: [{ name: "web", image }] } },
  },
});

for (const part of ["all", "pods"] as const) {
  const needs = [...realCluster, ...(part === "pods" ? (["kubeControllerManager"] as const) : [])];
  const title = `on a real API server ${part === "pods" ? "with" : "without"} kube-controller-manager`;
  test(`${title}, a sound Deployment becomes ready and a broken one crashes`, {
    skip: skipReason(tools, needs),
  }, async () => {
    await using server = await ApiServer.start({ tools, name: part, controllerManager: part === "pods" });
    await using actor = WorkloadActor.start({ access: server.admin, pace: { readyAfter: 100 }, part });
    using client = new KubeClient(server.admin);
    const available = async () => {
      const status = (await client.get(path))?.["status"] as { readonly availableReplicas?: number } | undefined;
      return status?.availableReplicas === 2 || notYet(`${JSON.stringify(status)} ${actor.lastRefusal}`);
    };
    const waiting = async () => {
      const pods = await client.list("/api/v1/namespaces/default/pods?labelSelector=app=web");
      return pods.some((pod) => JSON.stringify(pod["status"]).includes("CrashLoopBackOff"));
    };
    await client.apply(path, deployment("web:1"));
    await until("two available replicas", available, 20_000);
    assert.equal(await waiting(), false);
    await client.apply(path, deployment("web:broken"));
    await until("the crash", waiting, 20_000);
    await client.apply(path, deployment("web:2"));
    await until("the cure", async () => (await available()) === true && !(await waiting()), 30_000);
    await client.delete(path);
    const noPods = async () => (await client.list("/api/v1/namespaces/default/pods")).length === 0;
    if (part === "all") await until("its Pods' end", noPods, 20_000);
  });
}
