import assert from "node:assert/strict";
import { it } from "node:test";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, KubeWorld, plainPolicy } from "../testing/kube-world.ts";

const maps = "/api/v1/namespaces/default/configmaps";

describeOnKube("ownership", (suite) => {
  async function made(name: string, data: Record<string, string>): Promise<void> {
    await suite.world.send("POST", `${maps}?fieldManager=kubectl-create`, { metadata: { name }, data });
  }

  it("adopts an object where nothing would change", async () => {
    const { world } = suite;
    await made("a-1", { key: "value" });
    const result = await world.apply("a", [configMap("a-1")]);
    assert.equal(result.counts.adopted, 1, show(result));
    const live = await world.get(`${maps}/a-1`);
    assert.equal(live?.metadata.annotations?.["capstan.dev/owner"], "argocd/a");
    assert.equal(live?.metadata.labels?.["capstan.dev/target"], "argocd.a");
    assert.deepEqual(live?.["data"], { key: "value" });
  });

  it("does not adopt an object that it would change, and names maker and fields", async () => {
    const { world } = suite;
    await made("b-1", { key: "theirs" });
    const result = await world.apply("b", [configMap("b-1")]);
    const fault = result.errors[0];
    assert.equal(fault?.code, "object-owned", show(result));
    assert.match(fault.message, /made by kubectl-create, and adopting it would change data\.key \(kubectl-create\)/);
    const live = await world.get(`${maps}/b-1`);
    assert.deepEqual(live?.["data"], { key: "theirs" });
    assert.equal(live?.metadata.labels, undefined);
    assert.equal(result.inventory.entries.size, 0);
    const dropped = await world.apply("b", [configMap("b-other")], { generation: 2 });
    assert.equal(dropped.counts.pruned, 0, "what was never ours is never deleted");
    assert.ok(await world.get(`${maps}/b-1`));
  });

  it("takes an object over in mode Enforce", async () => {
    const { world } = suite;
    await made("c-1", { key: "theirs", extra: "kept" });
    const result = await world.apply("c", [configMap("c-1")], { policy: { ...plainPolicy, mode: "Enforce" } });
    assert.equal(result.counts.adopted, 1, show(result));
    assert.deepEqual((await world.get(`${maps}/c-1`))?.["data"], { key: "value", extra: "kept" });
  });

  it("only reports in mode Observe", async () => {
    const { world } = suite;
    await made("d-1", { key: "theirs" });
    world.forgetRequests();
    const bundle = [configMap("d-1"), configMap("d-2"), configMap("d-3", {}, "nowhere"), namespaceOf("nowhere")];
    const result = await world.apply("d", bundle, { policy: { ...plainPolicy, mode: "Observe" } });
    assert.equal(result.counts.different, 4, show(result));
    assert.equal(result.phase, "Different");
    assert.deepEqual(world.writes, []);
  });

  it("never takes an object from another target, and names both", async () => {
    const { world } = suite;
    await world.apply("e1", [configMap("e-1")]);
    const policy = { ...plainPolicy, mode: "Enforce" as const };
    const second = await world.apply("e2", [configMap("e-1", { key: "mine" }), configMap("e-2")], { policy });
    const fault = second.errors[0];
    assert.equal(fault?.code, "object-owned", show(second));
    assert.match(fault.message, /belongs to target argocd\/e1; target argocd\/e2 asks for it too/);
    assert.equal(second.counts.created, 1);
    assert.deepEqual((await world.get(`${maps}/e-1`))?.["data"], { key: "value" });
  });

  it("takes an object whose target is gone from the agent's books", async () => {
    const { world } = suite;
    await world.apply("f1", [configMap("f-1")]);
    const gone = await world.remove("f1", "keep");
    assert.equal(gone.done, true, show(gone));
    const live = await world.get(`${maps}/f-1`);
    assert.equal(live?.metadata.labels?.["capstan.dev/target"], undefined);
    const second = await world.apply("f2", [configMap("f-1")]);
    assert.equal(second.counts.adopted, 1, show(second));
  });

  it("leaves an object alone while its annotation says so", async () => {
    const { world } = suite;
    await world.apply("g", [configMap("g-1", { key: "1" })]);
    await world.patch(`${maps}/g-1`, { metadata: { annotations: { "capstan.dev/reconcile": "disabled" } } });
    const paused = await world.apply("g", [configMap("g-1", { key: "2" })], { generation: 2 });
    assert.equal(paused.counts.skipped, 1, show(paused));
    await world.patch(`${maps}/g-1`, { metadata: { annotations: { "capstan.dev/reconcile": null } } });
    const resumed = await world.apply("g", [configMap("g-1", { key: "2" })], { generation: 2 });
    assert.equal(resumed.counts.configured, 1, show(resumed));
  });

  it("acts as the target's account, and says what that one lacks", async () => {
    const { world } = suite;
    const account = { namespace: "default", name: "poor" };
    const result = await world.apply("h", [configMap("h-1")], { policy: { ...plainPolicy, account } });
    const fault = result.errors[0];
    assert.equal(fault?.code, "not-allowed", show(result));
    assert.match(fault.message, /service account default\/poor may not apply ConfigMap default\/h-1/);
    assert.match(fault.next ?? "", /Bind a role/);
  });

  it("needs no right to namespaces for an account that works in one", async () => {
    const { world } = suite;
    const account = { namespace: "default", name: "small" };
    await world.apply("l-setup", [
      role("l-small", [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get", "create", "patch"] }]),
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata: { name: "l-small" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "l-small" },
        subjects: [{ kind: "ServiceAccount", ...account }],
      },
    ]);
    const policy = { ...plainPolicy, account, createNamespace: true };
    const result = await world.apply("l", [configMap("l-1")], { policy });
    assert.equal(result.phase, "Applied", show(result));
    const again = await world.apply("l", [configMap("l-1", { key: "2" })], { policy, generation: 2 });
    assert.equal(again.counts.configured, 1, show(again));
  });

  it("explains an attempt to grant more than the account has", async () => {
    const { world } = suite;
    const account = { namespace: "default", name: "editor" };
    await world.apply("i-setup", [
      role("i-editor", [
        { apiGroups: ["rbac.authorization.k8s.io"], resources: ["roles"], verbs: ["get", "create", "patch"] },
      ]),
      {
        apiVersion: "rbac.authorization.k8s.io/v1",
        kind: "RoleBinding",
        metadata: { name: "i-editor" },
        roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "i-editor" },
        subjects: [{ kind: "ServiceAccount", ...account }],
      },
    ]);
    const wide = role("i-wide", [{ apiGroups: [""], resources: ["secrets"], verbs: ["*"] }]);
    const result = await world.apply("i", [wide], { policy: { ...plainPolicy, account } });
    const fault = result.errors[0];
    assert.equal(fault?.code, "not-allowed", show(result));
    assert.match(
      fault.message,
      /Role default\/i-wide would grant rights that service account default\/editor does not hold/,
    );
  });

  it("explains an agent that may not impersonate", async () => {
    const { server, world } = suite;
    const plain = new KubeWorld({ ...server, access: server.accessAs("plain") });
    try {
      const inventory = world.ports.inventory;
      Object.assign(plain.ports, { inventory });
      const result = await plain.apply("j", [configMap("j-1")]);
      assert.equal(result.errors[0]?.code, "not-allowed", show(result));
      assert.match(
        result.errors[0]?.message ?? "",
        /the agent may not act as service account capstan-system\/deployer/,
      );
    } finally {
      plain.stop();
    }
  });

  it("restores its marks where somebody took them off", async () => {
    const { world } = suite;
    await world.apply("k", [configMap("k-1")]);
    const marks = { labels: { "capstan.dev/target": null }, annotations: { "capstan.dev/owner": null } };
    await world.patch(`${maps}/k-1`, { metadata: marks });
    const result = await world.apply("k", [configMap("k-1")], { generation: 2 });
    assert.equal(result.counts.configured, 1, show(result));
    assert.equal((await world.get(`${maps}/k-1`))?.metadata.labels?.["capstan.dev/target"], "argocd.k");
  });
});

function namespaceOf(name: string): unknown {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name } };
}

function role(name: string, rules: readonly unknown[]): unknown {
  return { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: { name }, rules };
}
