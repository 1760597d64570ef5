import assert from "node:assert/strict";
import { test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { sampleChange } from "../world/fleet-repository.ts";
import { showLogsOnFailure } from "../world/process.ts";
import { notYet, until } from "../world/wait.ts";
import { World } from "../world/world.ts";

const tools = await ensureTools(["helm", "kubectl", "natsServer"], { ifPresent: ["kubeApiserver", "etcd"] });

test("a push reaches a real cluster, and its status comes back", {
  skip: skipReason(tools, realCluster),
}, async (context) => {
  const labels = { env: "dev" };
  await using world = await World.start({ clusters: [{ id: "dev-1", labels, kind: "real" }], tools });
  showLogsOnFailure(context, () => world.children);
  const { client } = world.cluster("dev-1");
  const hub = await world.hub.client();
  const healthy = (targets: number) =>
    until(
      `${targets} healthy targets`,
      async () => {
        const { targets: counts } = await hub.fleet.getFleetStatus({});
        return (counts?.healthy === targets && counts.synced === targets && counts.total === targets) || notYet(counts);
      },
      15_000,
    );

  // The agent has the rights of the manifest's account, and no others.
  await world.join("dev-1");
  await healthy(6);
  const allowed = async (verb: string, resource: string) => {
    const kubeconfig = await world.cluster("dev-1").kubeconfigOf("capstan-system", "capstan-agent", "straight");
    const { code } = await world
      .cluster("dev-1")
      .kubectl(["--kubeconfig", kubeconfig, "auth", "can-i", verb, resource, "-n", "default", "-q"]);
    return code === 0;
  };
  assert.equal(await allowed("create", "configmaps"), false);
  assert.equal(await allowed("get", "configmaps"), true);

  const limits = async () => {
    const settings = await client.list("/api/v1/namespaces/team-shop-web/configmaps");
    return settings.filter(({ metadata }) => metadata.name.startsWith("settings-")).map(({ data }) => data);
  };
  const { path, before, after } = sampleChange;
  await world.repository.edit(path, (text) => text.replace(before, after));
  await world.repository.commit("Raise the cart limit");
  await world.repository.push();
  const raised = { "settings.properties": `${after}\nlog.level=info\n` };
  await until(
    "the change",
    async () => (await limits()).some((data) => JSON.stringify(data) === JSON.stringify(raised)),
    5_000,
  );
  // The old one is pruned, and the deployment that names the new one is ready again.
  await healthy(6);
  await until("the end of the old settings", async () => (await limits()).length === 1, 5_000);

  const { clusters } = await hub.fleet.listClusters({});
  const [cluster] = clusters;
  assert.equal(cluster?.incarnation, await world.cluster("dev-1").incarnation());
  assert.match(cluster?.facts?.kubernetesVersion ?? "", /^v1\./);
});
