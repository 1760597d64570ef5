import assert from "node:assert/strict";
import { it } from "node:test";
import { systemChance, systemClock } from "@capstan/proto";
import { describeOnKube } from "../../testing/kube-suite.ts";
import { deployment } from "../../testing/kube-world.ts";
import { until } from "../../testing/until.ts";
import { KubeClient } from "../kube/client.ts";
import { Kinds } from "../kube/kinds.ts";
import { readFacts } from "./facts.ts";

describeOnKube("facts of a cluster", (suite) => {
  const facts = async (token: string) => {
    const access = suite.server.accessAs(token);
    const client = new KubeClient({ access, clock: systemClock, chance: systemChance, inFlight: 4, timeoutMs: 30_000 });
    try {
      return await readFacts(client, new Kinds(client), suite.world.signal);
    } finally {
      client.close();
    }
  };

  it("name where the agent may act as accounts: everywhere, or the namespaces in which it may", async () => {
    const { world } = suite;
    assert.deepEqual((await facts("admin")).writableNamespaces, ["*"]);
    await world.namespace("team");
    const rules = [
      { apiGroups: [""], resources: ["namespaces"], verbs: ["list"] },
      { apiGroups: [""], resources: ["serviceaccounts"], verbs: ["impersonate"] },
    ];
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    const user = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: "plain" }];
    await world.send("POST", `${rbac}/clusterroles`, { metadata: { name: "lists" }, rules: [rules[0]] });
    await world.send("POST", `${rbac}/clusterrolebindings`, {
      metadata: { name: "lists" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "lists" },
      subjects: user,
    });
    await world.send("POST", `${rbac}/namespaces/team/roles`, { metadata: { name: "acts" }, rules: [rules[1]] });
    await world.send("POST", `${rbac}/namespaces/team/rolebindings`, {
      metadata: { name: "acts" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "acts" },
      subjects: user,
    });
    await until(async () => (await facts("plain")).writableNamespaces.join() === "team");
  });

  it("name other tools that manage objects here, and not what we applied of theirs", async () => {
    const { world } = suite;
    const helm = { "app.kubernetes.io/managed-by": "Helm" };
    const chart = deployment("chart") as { metadata: object };
    const ours = { ...chart, metadata: { ...chart.metadata, labels: { ...helm, "capstan.dev/target": "a.b" } } };
    await world.send("POST", "/apis/apps/v1/namespaces/default/deployments", ours);
    assert.deepEqual((await facts("admin")).otherManagers, []);
    const path = "/apis/apps/v1/namespaces/default/deployments/chart";
    await world.patch(path, { metadata: { labels: { "capstan.dev/target": null } } });
    assert.deepEqual((await facts("admin")).otherManagers, ["helm"]);
  });
});
