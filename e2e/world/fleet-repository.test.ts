import assert from "node:assert/strict";
import { test } from "node:test";
import { ensureTools } from "../toolchain/tools.ts";
import { fleetRepository, rootPath, sampleBreakage, sampleChange } from "./fleet-repository.ts";
import { GitServer } from "./git-server.ts";
import { KubeClient } from "./kube-client.ts";
import { runOrThrow } from "./process.ts";
import { Repository } from "./repository.ts";
import { SimulatedApiServer } from "./simulated-api-server/server.ts";
import { until } from "./wait.ts";

const tools = await ensureTools(["helm", "kubectl"]);
const clusters = ["dev", "staging", "prod"].map((env) => ({ id: `${env}-1`, labels: { env } }));

test("the sample repository names itself, its charts and overlays render, and its workloads become ready", async () => {
  await using git = await GitServer.start();
  const repoURL = await git.create("fleet");
  await using clone = await Repository.clone({ url: repoURL });
  await clone.publish(fleetRepository({ repoURL, clusters }), "the fleet");
  const program = (name: "helm" | "kubectl", ...args: string[]) =>
    runOrThrow({ name, binary: tools[name], args, env: { HOME: clone.path, PATH: "/usr/bin:/bin" }, cwd: clone.path });

  const web = await program("kubectl", "kustomize", "apps/shop-web");
  assert.match(web, /name: settings-[a-z0-9]{10}/);
  assert.match(web, /app\.kubernetes\.io\/name: shop-web/);
  for (const env of ["dev", "staging", "prod"]) {
    const values = ["-f", "charts/ingress/values.yaml", "-f", `charts/ingress/values-${env}.yaml`];
    assert.match(await program("helm", "template", "ingress", "charts/ingress", ...values), /kind: Deployment/);
  }
  assert.match(await program("helm", "template", "quota", "charts/quota"), /kind: ResourceQuota/);
  assert.match(await clone.read(`${rootPath}/team-apps.yaml`), new RegExp(`repoURL: ${repoURL}`));

  await using server = await SimulatedApiServer.start({ id: "dev-1", pace: { readyAfter: 20 } });
  using client = new KubeClient(server.admin);
  await program("kubectl", "-s", server.url, "apply", "--server-side", "--validate=false", "-k", "apps/shop-web");
  const path = "/apis/apps/v1/namespaces/default/deployments/web";
  const ready = async () => ((await client.get(path))?.["status"] as { readyReplicas?: number }).readyReplicas === 2;
  await until("the sample application to be ready", ready, 2_000);
});

test("the changes that people are told to try do change the files they name", () => {
  const files = fleetRepository({ repoURL: "http://127.0.0.1/fleet.git", clusters });
  for (const { path, before } of [sampleChange, sampleBreakage]) assert.ok(files[path]?.includes(before), path);
});
