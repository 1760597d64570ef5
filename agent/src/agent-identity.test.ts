import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Phase, Sync } from "@capstan/proto/agent";
import { ApplyPolicySchema } from "@capstan/proto/desired";
import { AgentWorld } from "./platform/grpc/testing/agent-world.ts";
import { describeOnKube } from "./testing/kube-suite.ts";
import { configMap } from "./testing/kube-world.ts";

describeOnKube("the agent process, its identity and its policies", (suite) => {
  const world = new AgentWorld(suite);
  const { hub } = world;
  before(() => world.prepare("agent-identity", ["--transport", "grpc"]));
  after(() => world.remove());

  it("gives up with its own code where no token was given that the hub takes", async () => {
    hub.refuse = "token-refused";
    world.agent.start();
    assert.equal(await world.agent.ended, 77);
    assert.match(world.agent.log, /token-refused/);
    hub.refuse = undefined;
  });

  it("renews before the end, also a sealing key, and opens bundles of both", async () => {
    hub.life = 10;
    world.agent.start();
    await world.waiting(() => hub.hellos[0]);
    const before = world.target("old-key", [configMap("old-key")]);
    await world.waiting(() => hub.renewed.some(({ proof }) => proof === undefined));
    const behind = world.target("new-key", [configMap("new-key")]);
    world.publish(1n, [before, behind]);
    await world.reported("old-key", 1n, Phase.DONE);
    await world.reported("new-key", 1n, Phase.DONE);
  });

  it("comes back by itself after its certificate expired while it was cut off", async () => {
    hub.stop();
    const expired = Date.now() + hub.life * 1000;
    await world.waiting(() => Date.now() > expired);
    hub.life = 3_600;
    const [renewals, hellos] = [hub.renewed.length, hub.hellos.length];
    await hub.start();
    await world.waiting(() => hub.renewed.slice(renewals).find(({ proof }) => proof !== undefined), 120_000);
    await world.waiting(() => hub.hellos.length > hellos);
  });

  it("without self-heal applies a generation once: drift is shown and left, also after a restart", async () => {
    const policy = create(ApplyPolicySchema, { automated: true, prune: true });
    const target = world.target("calm", [configMap("calm", { v: "1" })], { generation: 2n, policy });
    world.publish(2n, [target]);
    await world.reported("calm", 2n, Phase.DONE);
    await suite.world.patch("/api/v1/namespaces/default/configmaps/calm", { data: { v: "mine" } });
    const drifted = () => hub.latest.get("argocd/calm")?.sync === Sync.DRIFTED;
    await world.waiting(drifted);
    assert.equal(hub.latest.get("argocd/calm")?.drift[0]?.path, "/data/v");
    await world.agent.end();
    hub.latest.clear();
    world.agent.start();
    await world.waiting(drifted);
    assert.deepEqual(await world.data("calm"), { v: "mine" });
    world.publish(3n, [{ ...target, generation: 3n }]);
    await world.waiting(async () => (await world.data("calm"))?.["v"] === "1");
  });

  it("waits for a person where syncing is manual, and does each operation once", async () => {
    const policy = create(ApplyPolicySchema, { automated: false });
    const target = world.target("manual", [configMap("manual", { v: "1" })], { generation: 4n, policy });
    world.publish(4n, [target]);
    await world.reported("manual", 4n, Phase.WAITING);
    assert.equal(await world.data("manual"), undefined);
    const operation = {
      $typeName: "capstan.v1.Operation" as const,
      id: "op-1",
      actor: "ann",
      sync: true,
      force: false,
    };
    world.publish(5n, [{ ...target, operation: { ...operation, selection: [], approvedPrune: [] } }]);
    const report = await world.reported("manual", 4n, Phase.DONE);
    assert.deepEqual(await world.data("manual"), { v: "1" });
    await world.waiting(() => hub.latest.get("argocd/manual")?.operation === "op-1");
    assert.equal(report.counts?.objects, 1);
  });
});
