import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { Health, Phase, Sync } from "@capstan/proto/agent";
import type { DesiredTarget } from "@capstan/proto/desired";
import { AgentProcess } from "./platform/grpc/testing/agent-process.ts";
import { FakeHub } from "./platform/grpc/testing/fake-hub.ts";
import { describeOnKube } from "./testing/kube-suite.ts";
import { adminAccount, configMap } from "./testing/kube-world.ts";
import { until } from "./testing/until.ts";

describeOnKube("the agent process beside a real API server and a hub that speaks the schema", (suite) => {
  const hub = new FakeHub();
  let agent: AgentProcess;
  let incarnation = "";

  before(async () => {
    await hub.start();
    incarnation = String((await suite.world.get("/api/v1/namespaces/kube-system"))?.metadata.uid);
    const given = { hub: hub.endpoint, token: hub.token, namespace: "capstan-system", more: ["--transport", "grpc"] };
    agent = await AgentProcess.prepare(suite.server, given);
  });

  after(async () => {
    await agent.remove();
    hub.stop();
  });

  const target = (name: string, objects: readonly unknown[], more: object = {}) =>
    ({
      namespace: "argocd",
      name,
      generation: 1n,
      bundle: hub.fleet.bundle(objects, hub.sealTo),
      serviceAccount: `${adminAccount.namespace}/${adminAccount.name}`,
      destinationNamespace: "default",
      policy: { automated: true, prune: true, selfHeal: true },
      ...more,
    }) as unknown as DesiredTarget;
  const publish = (revision: bigint, targets: readonly DesiredTarget[], more: object = {}) =>
    hub.publish({ cluster: "a", incarnation, revision, targets: [...targets], ...more });
  const reported = (name: string, generation: bigint, phase: Phase) =>
    until(() => {
      const report = hub.latest.get(`argocd/${name}`);
      return report?.generation === generation && report.phase === phase ? report : undefined;
    }).catch((thrown) => {
      throw new Error(
        `${thrown}\n${JSON.stringify(hub.latest.get(`argocd/${name}`), (_, v) => (typeof v === "bigint" ? String(v) : v))}\n${agent.log.slice(-3000)}`,
      );
    });
  const data = async (name: string) =>
    (await suite.world.get(`/api/v1/namespaces/default/configmaps/${name}`))?.["data"];

  it("joins with a token, connects over mTLS and says what the cluster is", async () => {
    agent.start();
    const hello = await until(() => hub.hellos[0], 20_000).catch((thrown) => {
      throw new Error(`${thrown}\n${agent.log}`);
    });
    assert.equal(hub.enrolled[0]?.incarnation, incarnation);
    assert.equal(hub.peers[0], `URI:spiffe://${hub.fleet.id}/cluster/a`);
    assert.match(hello.facts?.kubernetesVersion ?? "", /^v1\./);
    assert.ok(hello.facts?.apiVersions.includes("apps/v1/Deployment"));
  });

  it("applies what the desired state names and reports it", async () => {
    publish(5n, [target("shop", [configMap("shop", { color: "red" })])]);
    const report = await reported("shop", 1n, Phase.DONE);
    assert.deepEqual(await data("shop"), { color: "red" });
    assert.equal(report.health, Health.HEALTHY);
    assert.equal(report.sync, Sync.SYNCED);
    assert.equal(report.counts?.objects, 1);
  });

  it("refuses an older revision and says why", async () => {
    publish(4n, [target("shop", [configMap("shop", { color: "old" })], { generation: 9n })]);
    hub.tell({ case: "hint", value: { $typeName: "capstan.v1.Hint", revision: 100n } });
    await until(() => hub.batches.some(({ refused }) => refused?.code === "older-revision"));
    assert.deepEqual(await data("shop"), { color: "red" });
  });

  it("keeps a target that is absent without a tombstone, and removes one by its tombstone", async () => {
    publish(6n, [target("mail", [configMap("mail")], { generation: 6n })]);
    await reported("mail", 6n, Phase.DONE);
    await reported("shop", 1n, Phase.WAITING);
    assert.deepEqual(await data("shop"), { color: "red" });
    const account = `${adminAccount.namespace}/${adminAccount.name}`;
    const tombstone = { namespace: "argocd", name: "shop", removal: 2, generation: 7n, serviceAccount: account };
    publish(7n, [target("mail", [configMap("mail")], { generation: 6n })], { tombstones: [tombstone] });
    await until(() =>
      hub.batches.some(({ removed }) => removed.some((one) => one.name === "shop" && one.generation === 7n)),
    );
    assert.equal(await data("shop"), undefined);
  });

  it("restarts and heals drift with the hub gone, from its cache in the cluster", async () => {
    assert.equal(await agent.end(), 0);
    hub.stop();
    await suite.world.patch("/api/v1/namespaces/default/configmaps/mail", { data: { key: "drifted" } });
    agent.start();
    await until(
      async () => ((await data("mail")) as Record<string, string> | undefined)?.["key"] === "value",
      20_000,
    ).catch((thrown) => {
      throw new Error(`${thrown}\n${agent.log.slice(-3000)}`);
    });
    await suite.world.patch("/api/v1/namespaces/default/configmaps/mail", { data: { key: "again" } });
    await until(async () => ((await data("mail")) as Record<string, string> | undefined)?.["key"] === "value");
  });

  it("comes back to the hub and brings the state that it holds", async () => {
    const before = hub.hellos.length;
    await hub.start();
    const hello = await until(() => hub.hellos[before], 20_000);
    assert.equal(hello.highWater, 7n);
    assert.ok(hello.held !== undefined);
    await until(() => hub.batches.at(-1)?.full === true && hub.latest.get("argocd/mail")?.phase === Phase.DONE);
  });
});
