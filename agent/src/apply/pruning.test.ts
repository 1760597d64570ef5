import assert from "node:assert/strict";
import { it } from "node:test";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, KubeWorld, plainPolicy } from "../testing/kube-world.ts";

const maps = "/api/v1/namespaces/default/configmaps";

function many(prefix: string, count: number): readonly unknown[] {
  return Array.from({ length: count }, (_, index) => configMap(`${prefix}-${index}`));
}

describeOnKube("deletion", (suite) => {
  it("deletes only by a newer bundle with pruning on", async () => {
    const { world } = suite;
    await world.apply("a", [configMap("a-1"), configMap("a-2")]);
    const same = await world.apply("a", [configMap("a-1")], { digest: "other" });
    assert.equal(same.counts.held, 1, show(same));
    const off = await world.apply("a", [configMap("a-1")], { generation: 2, policy: { ...plainPolicy, prune: false } });
    assert.equal(off.counts.prunable, 1, show(off));
    assert.ok(await world.get(`${maps}/a-2`));
    const on = await world.apply("a", [configMap("a-1")], { generation: 3 });
    assert.equal(on.counts.pruned, 1, show(on));
    assert.equal(await world.get(`${maps}/a-2`), undefined);
    await assert.rejects(world.apply("a", [], { generation: 2 }), { code: "older-revision" });
  });

  it("deletes nothing for an empty bundle, nor in a pass with a failure", async () => {
    const { world } = suite;
    await world.apply("b", [configMap("b-1")]);
    const empty = await world.apply("b", [], { generation: 2 });
    assert.equal(empty.counts.held, 1, show(empty));
    const failing = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b-2" }, data: { "bad key!": "" } };
    const failed = await world.apply("b", [failing], { generation: 3 });
    assert.equal(failed.counts.held, 1, show(failed));
    assert.ok(await world.get(`${maps}/b-1`));
    const allowed = await world.apply("b", [], { generation: 4, policy: { ...plainPolicy, allowEmpty: true } });
    assert.equal(allowed.counts.pruned, 1, show(allowed));
  });

  it("holds a deletion beyond max(5, 50 %), over 24 hours, until exactly that is approved", async () => {
    const { world } = suite;
    const all = many("c", 12);
    await world.apply("c", all);
    const five = await world.apply("c", all.slice(5), { generation: 2 });
    assert.equal(five.counts.pruned, 5, show(five));
    const more = await world.apply("c", all.slice(9), { generation: 3 });
    assert.equal(more.counts.held, 4, show(more));
    assert.match(
      more.outcomes[0]?.reason ?? "",
      /4 deletions after 5 in the last 24 hours of 12 objects pass the limit of 6/,
    );
    const approved = new Set([5, 6, 7, 8].map((index) => `/ConfigMap/default/c-${index}`));
    const done = await world.apply("c", all.slice(9), { generation: 3, policy: { ...plainPolicy, approved } });
    assert.equal(done.counts.pruned, 4, show(done));
    const counted = done.inventory.deletions.map(({ count }) => count);
    assert.deepEqual(counted, [5], "what a person approved does not count against the next");
  });

  it("does not count objects replaced under a new content hash", async () => {
    const { world } = suite;
    const named = (hash: string) => Array.from({ length: 8 }, (_, index) => configMap(`d${index}-config-${hash}`));
    await world.apply("d", named("5f8bb9c7d2"));
    const next = await world.apply("d", named("7h2mk4d9t6"), { generation: 2 });
    assert.equal(next.counts.pruned, 8, show(next));
    assert.deepEqual(next.inventory.deletions, []);
  });

  it("holds volumes, namespaces, stateful sets and load balancers", async () => {
    const { world } = suite;
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "e-data" },
      spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
    };
    const ports = [{ port: 80 }];
    const balancer = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "e-lb" },
      spec: { type: "LoadBalancer", ports },
    };
    const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: "e-space" } };
    await world.apply("e", [configMap("e-1"), claim, balancer, space]);
    const result = await world.apply("e", [configMap("e-1")], { generation: 2 });
    assert.equal(result.counts.held, 3, show(result));
    assert.equal(result.counts.pruned, 0);
    assert.equal(result.phase, "Held");
    const approved = new Set(["/Service/default/e-lb"]);
    const next = await world.apply("e", [configMap("e-1")], { generation: 2, policy: { ...plainPolicy, approved } });
    assert.equal(next.counts.pruned, 1, show(next));
    assert.equal(next.counts.held, 2);
    const limits = { count: Number.MAX_SAFE_INTEGER, share: 1, kinds: [], off: true };
    const off = await world.apply("e", [configMap("e-1")], { generation: 2, policy: { ...plainPolicy, limits } });
    assert.equal(off.counts.held, 0, show(off));
  });

  it("does not delete what somebody else took over, or asked to keep", async () => {
    const { world } = suite;
    await world.apply("f", [configMap("f-0"), configMap("f-1"), configMap("f-2"), configMap("f-3")]);
    await world.patch(`${maps}/f-1`, { metadata: { annotations: { "capstan.dev/owner": "argocd/somebody" } } });
    await world.patch(`${maps}/f-2`, {
      metadata: { annotations: { "argocd.argoproj.io/sync-options": "Prune=false" } },
    });
    await world.patch(`${maps}/f-3`, {
      metadata: { annotations: { "argocd.argoproj.io/sync-options": "Prune=confirm" } },
    });
    const result = await world.apply("f", [configMap("f-0")], { generation: 2 });
    assert.equal(result.counts.released, 2, show(result));
    assert.equal(result.counts.held, 1, show(result));
    for (const name of ["f-1", "f-2", "f-3"]) assert.ok(await world.get(`${maps}/${name}`), name);
    assert.equal(result.inventory.entries.size, 2);
  });

  it("keeps an object with finalizers in its books and deletes it once", async () => {
    const { world } = suite;
    const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "g-1", finalizers: ["example.com/wait"] } };
    await world.apply("g", [held, configMap("g-2")]);
    world.forgetRequests();
    const first = await world.apply("g", [configMap("g-2")], { generation: 2 });
    assert.equal(first.counts.deleting, 1, show(first));
    assert.equal(first.phase, "Pending");
    const second = await world.apply("g", [configMap("g-2")], { generation: 2 });
    assert.equal(second.counts.deleting, 1, show(second));
    assert.equal(world.requests.filter((request) => request.method === "DELETE").length, 1);
    await world.patch(`${maps}/g-1`, { metadata: { finalizers: null } });
    const third = await world.apply("g", [configMap("g-2")], { generation: 2 });
    assert.equal(third.counts.pruned, 1, show(third));
    assert.equal(third.inventory.entries.size, 1);
  });

  it("removes a whole target, or lets its objects stay", async () => {
    const { world } = suite;
    await world.apply("h", many("h", 8));
    const gone = await world.remove("h", "prune");
    assert.equal(gone.done, true, show(gone));
    assert.equal(gone.counts.pruned, 8);
    assert.equal(await world.get(`${maps}/h-3`), undefined);
    const again = await world.remove("h", "prune");
    assert.equal(again.done, true);
    assert.equal(again.outcomes.length, 0);
  });

  it("leaves what is protected of a target whose removal nobody approved, until it is gone by hand", async () => {
    const { world } = suite;
    const balancer = {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "q-lb", namespace: "default" },
      spec: { type: "LoadBalancer", ports: [{ port: 80 }] },
    };
    await world.apply("q", [balancer, configMap("q-1")]);
    const nobody = { kinds: [], approved: new Set<string>() };
    const first = await world.remove("q", "prune", nobody);
    assert.equal(first.done, false, show(first));
    assert.deepEqual([first.counts.held, first.counts.pruned], [1, 1], show(first));
    const service = "/api/v1/namespaces/default/services/q-lb";
    assert.notEqual(await world.get(service), undefined);
    await world.send("DELETE", service);
    const second = await world.remove("q", "prune", nobody);
    assert.equal(second.done, true, show(second));
  });

  it("does not delete a namespace that another target's objects are in", async () => {
    const { world } = suite;
    const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: "i-space" } };
    await world.apply("i1", [space, configMap("i-0")]);
    await world.apply("i2", [configMap("i-1", {}, "i-space")]);
    const approved = new Set(["/Namespace//i-space"]);
    const result = await world.apply("i1", [configMap("i-0")], { generation: 2, policy: { ...plainPolicy, approved } });
    assert.equal(result.counts.held, 1, show(result));
    assert.match(result.outcomes[0]?.reason ?? "", /still holds objects of argocd\/i2/);
  });

  it("reads its books again after a restart, and prunes by them", async () => {
    const { server, world } = suite;
    await world.apply("j", [configMap("j-1"), configMap("j-2")]);
    const restarted = new KubeWorld(server);
    try {
      const result = await restarted.apply("j", [configMap("j-2")], { generation: 2 });
      assert.equal(result.counts.pruned, 1, show(result));
    } finally {
      restarted.stop();
    }
  });
});
