import assert from "node:assert/strict";
import { it } from "node:test";
import type { KubeObject } from "../inventory/object.ts";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, deployment, plainPolicy } from "../testing/kube-world.ts";
import { until } from "../testing/until.ts";

const maps = "/api/v1/namespaces/default/configmaps";
const enforce = { ...plainPolicy, mode: "Enforce" as const };
const applyPatch = "application/apply-patch+yaml";

describeOnKube("take-over", (suite) => {
  /** An object as a tool leaves it that applies on the client's side. */
  function updatedBy(manager: string, name: string, data: Record<string, string>, metadata: object = {}) {
    return suite.world.send("POST", `${maps}?fieldManager=${manager}`, { metadata: { name, ...metadata }, data });
  }

  /** An object as a tool leaves it that applies on the server's side. */
  function appliedBy(manager: string, name: string, data: Record<string, string>, metadata: object = {}) {
    const object = { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
    return suite.world.send("PATCH", `${maps}/${name}?fieldManager=${manager}&force=true`, object, applyPatch);
  }

  for (const [how, manager, make] of [
    ["kubectl apply", "kubectl-client-side-apply", updatedBy],
    ["kubectl create", "kubectl-create", updatedBy],
    ["kubectl apply --server-side", "kubectl", appliedBy],
    ["Argo CD", "argocd-controller", appliedBy],
    ["Argo CD on the client's side", "argocd-controller", updatedBy],
    ["Flux", "kustomize-controller", appliedBy],
    ["helm install", "helm", updatedBy],
  ] as const) {
    it(`a field that ${how} set can be removed in Git afterwards, and the object is never made anew`, async () => {
      const { world } = suite;
      const name = `m-${how.toLowerCase().replaceAll(/[^a-z]+/g, "-")}`.replace(/-$/, "");
      const uid = (await make(manager, name, { stays: "1", goes: "1" }))?.metadata.uid;
      const first = await world.apply(name, [configMap(name, { stays: "1", goes: "1" })]);
      assert.equal(first.counts.adopted, 1, show(first));
      const second = await world.apply(name, [configMap(name, { stays: "1" })], { generation: 2 });
      assert.equal(second.counts.configured, 1, show(second));
      const live = await world.get(`${maps}/${name}`);
      assert.deepEqual(live?.["data"], { stays: "1" });
      assert.equal(live?.metadata.uid, uid);
      assert.deepEqual(managersOf(live), ["capstan"]);
      world.forgetRequests();
      world.ports.memory.forget(`/ConfigMap/default/${name}`);
      await world.apply(name, [configMap(name, { stays: "1" })], { generation: 3 });
      assert.deepEqual(
        world.writes.filter(({ path }) => path.includes("configmaps")),
        [],
        "a second look transfers nothing",
      );
    });
  }

  it("what others added is kept by default, and goes where the manifest overrides", async () => {
    const { world } = suite;
    await updatedBy("kubectl-client-side-apply", "o-1", { ours: "1", theirs: "1" });
    const plain = await world.apply("o", [configMap("o-1", { ours: "1" })]);
    assert.equal(plain.counts.adopted, 1, show(plain));
    await world.patch(`${maps}/o-1?fieldManager=kubectl-edit`, { data: { edited: "1" } });
    await world.apply("o", [configMap("o-1", { ours: "2" })], { generation: 2 });
    const kept = await world.get(`${maps}/o-1`);
    assert.deepEqual(kept?.["data"], { ours: "2", theirs: "1", edited: "1" });
    const overriding = annotated(configMap("o-1", { ours: "2" }), { "capstan.dev/fields": "Override" });
    const result = await world.apply("o", [overriding], { generation: 3 });
    assert.equal(result.counts.configured, 1, show(result));
    const live = await world.get(`${maps}/o-1`);
    assert.deepEqual(live?.["data"], { ours: "2" });
    assert.deepEqual(managersOf(live), ["capstan"]);
    world.forgetRequests();
    world.ports.memory.forget("/ConfigMap/default/o-1");
    assert.equal((await world.apply("o", [overriding], { generation: 4 })).counts.unchanged, 1);
    assert.deepEqual(
      world.writes.filter(({ path }) => path.includes("configmaps")),
      [],
    );
  });

  it("entries of subresources stay as they are", async () => {
    const { world } = suite;
    const path = "/apis/apps/v1/namespaces/default/deployments";
    await world.send("POST", `${path}?fieldManager=kubectl-create`, deployment("s-web"));
    await world.patch(`${path}/s-web/status?fieldManager=kubectl`, { status: { observedGeneration: 1 } });
    const result = await world.apply("s", [deployment("s-web")]);
    assert.equal(result.counts.adopted, 1, show(result));
    const entries = (await world.get(`${path}/s-web`))?.metadata.managedFields ?? [];
    assert.ok(entries.some(({ manager, subresource }) => manager === "kubectl" && subresource === "status"));
  });

  it("other tools' marks go with the take-over, the object stays", async () => {
    const { world } = suite;
    const annotations = {
      "argocd.argoproj.io/tracking-id": "shop:/ConfigMap:default/t-1",
      "kubectl.kubernetes.io/last-applied-configuration": "{}",
    };
    await appliedBy("argocd-controller", "t-1", { key: "value" }, { annotations });
    const result = await world.apply("t", [configMap("t-1")]);
    assert.equal(result.counts.adopted, 1, show(result));
    const live = await world.get(`${maps}/t-1`);
    assert.deepEqual(Object.keys(live?.metadata.annotations ?? {}), ["capstan.dev/owner"]);
  });

  it("an object that Argo CD, Flux or Helm would delete is refused, and what to do first is said", async () => {
    const { world } = suite;
    await world.apply("crds", [
      definition("argoproj.io", "Application", "applications"),
      definition("kustomize.toolkit.fluxcd.io", "Kustomization", "kustomizations"),
    ]);
    await world.namespace("argocd");
    for (const [group, kind] of [
      ["argoproj.io", "Application"],
      ["kustomize.toolkit.fluxcd.io", "Kustomization"],
    ] as const) {
      const served = async () => (await world.kinds.findAny({ group, kind }, world.signal)) !== undefined;
      await until(served);
    }
    const applications = "/apis/argoproj.io/v1/namespaces/argocd/applications";
    const finalizers = ["resources-finalizer.argocd.argoproj.io"];
    const shop = custom("argoproj.io", "Application", { name: "shop", finalizers });
    await until(() => world.send("POST", applications, shop));
    const tracked = { annotations: { "argocd.argoproj.io/tracking-id": "shop:/ConfigMap:default/x-1" } };
    await appliedBy("argocd-controller", "x-1", { key: "value" }, tracked);
    const refused = await world.apply("x", [configMap("x-1"), configMap("x-2")], { policy: enforce });
    assert.equal(refused.counts.created, 1, show(refused));
    assert.equal(refused.errors[0]?.code, "object-owned");
    assert.match(refused.errors[0]?.message ?? "", /belongs to Argo CD application argocd\/shop, whose deletion/);
    assert.match(refused.errors[0]?.next ?? "", /take that finalizer off/);
    await world.patch(`${applications}/shop`, { metadata: { finalizers: null } });
    const taken = await world.apply("x", [configMap("x-1"), configMap("x-2")], { policy: enforce, generation: 2 });
    assert.equal(taken.counts.adopted, 1, show(taken));

    const flux = { "kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "argocd" };
    const kustomizations = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/argocd/kustomizations";
    const group = "kustomize.toolkit.fluxcd.io";
    const apps = custom(group, "Kustomization", { name: "apps" }, { prune: true });
    await until(() => world.send("POST", kustomizations, apps));
    await appliedBy("kustomize-controller", "x-3", { key: "value" }, { labels: flux });
    const pruned = await world.apply("x3", [configMap("x-3")]);
    assert.match(pruned.errors[0]?.message ?? "", /belongs to Flux Kustomization argocd\/apps/, show(pruned));
    await world.patch(`${kustomizations}/apps`, { spec: { suspend: true } });
    assert.equal((await world.apply("x3", [configMap("x-3")], { generation: 2 })).counts.adopted, 1);

    const labels = { "app.kubernetes.io/managed-by": "Helm" };
    const annotations = { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default" };
    const secret = { metadata: { name: "sh.helm.release.v1.web.v1", labels: { owner: "helm", name: "web" } } };
    await world.send("POST", "/api/v1/namespaces/default/secrets", secret);
    await updatedBy("helm", "x-4", { key: "value" }, { labels, annotations });
    const helm = await world.apply("x4", [annotated(configMap("x-4"), {})]);
    assert.match(helm.errors[0]?.message ?? "", /belongs to Helm release default\/web/, show(helm));
    assert.equal((await world.apply("x4", [configMap("x-4")], { policy: enforce, generation: 2 })).counts.adopted, 1);
  });

  it("a tracking id that was copied from another object claims nothing", async () => {
    const { world } = suite;
    const annotations = { "argocd.argoproj.io/tracking-id": "shop:/ConfigMap:default/other" };
    await updatedBy("some-operator", "y-1", { key: "value" }, { annotations });
    assert.equal((await world.apply("y", [configMap("y-1")])).counts.adopted, 1);
  });

  it("an object is made anew only where a field cannot be changed, and only where that is allowed", async () => {
    const { world } = suite;
    const frozen = (value: string, more: Record<string, string> = {}) =>
      annotated({ ...(configMap("i-1", { value }) as object), immutable: true }, more);
    await world.apply("i", [frozen("1")]);
    const uid = (await world.get(`${maps}/i-1`))?.metadata.uid;
    const refused = await world.apply("i", [frozen("2")], { generation: 2 });
    assert.match(refused.errors[0]?.next ?? "", /capstan\.dev\/recreate: enabled/, show(refused));
    assert.equal((await world.get(`${maps}/i-1`))?.metadata.uid, uid);
    const bad = frozen("2", { "not a key": "x", "capstan.dev/recreate": "enabled" });
    const invalid = await world.apply("i", [bad], { generation: 2 });
    assert.equal(invalid.counts.failed, 1, "wrong in another way too: it would not come back");
    assert.equal((await world.get(`${maps}/i-1`))?.metadata.uid, uid);
    const anew = await world.apply("i", [frozen("2", { "capstan.dev/recreate": "enabled" })], { generation: 3 });
    assert.equal(anew.counts.created, 1, show(anew));
    const live = await world.get(`${maps}/i-1`);
    assert.notEqual(live?.metadata.uid, uid);
    assert.deepEqual(live?.["data"], { value: "2" });
    const byPolicy = { ...plainPolicy, recreate: true };
    const again = await world.apply("i", [frozen("3")], { generation: 4, policy: byPolicy });
    assert.equal(again.counts.created, 1, show(again));
  });

  it("what is made anew waits for finalizers, and never with what others live in unless it says so itself", async () => {
    const { world } = suite;
    const frozen = (value: string) => ({ ...(configMap("j-1", { value }) as object), immutable: true });
    const policy = { ...plainPolicy, recreate: true };
    await world.apply("j", [frozen("1")]);
    await world.patch(`${maps}/j-1`, { metadata: { finalizers: ["example.com/hold"] } });
    const waiting = await world.apply("j", [frozen("2")], { generation: 2, policy });
    assert.equal(waiting.phase, "Pending", show(waiting));
    assert.match(waiting.outcomes[0]?.reason ?? "", /made anew .*immutable.*held by finalizers example\.com\/hold/);
    await world.patch(`${maps}/j-1`, { metadata: { finalizers: null } });
    const made = await world.apply("j", [frozen("2")], { generation: 2, policy });
    assert.equal(made.counts.created, 1, show(made));
    const claim = (storage: string) => ({
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: { name: "j-claim" },
      spec: { accessModes: ["ReadWriteOnce"], storageClassName: storage, resources: { requests: { storage: "1Gi" } } },
    });
    await world.apply("j2", [claim("a")], { policy });
    const refused = await world.apply("j2", [claim("b")], { policy, generation: 2 });
    assert.equal(refused.counts.failed, 1, show(refused));
  });

  it("an object that is only made where it is absent is never changed, and still pruned", async () => {
    const { world } = suite;
    const once = (value: string) => annotated(configMap("n-1", { value }), { "capstan.dev/apply": "IfNotPresent" });
    await world.apply("n", [once("1"), configMap("n-2")]);
    const second = await world.apply("n", [once("2"), configMap("n-2")], { generation: 2 });
    assert.equal(second.counts.unchanged, 2, show(second));
    assert.deepEqual((await world.get(`${maps}/n-1`))?.["data"], { value: "1" });
    const third = await world.apply("n", [configMap("n-2")], { generation: 3 });
    assert.equal(third.counts.pruned, 1, show(third));
  });

  it("a replaced object loses what others added, and Git can still remove from it", async () => {
    const { world } = suite;
    const replaced = (data: Record<string, string>) =>
      annotated(configMap("r-1", data), { "argocd.argoproj.io/sync-options": "Replace=true" });
    const uid = (await world.apply("r", [replaced({ a: "1", b: "1" })])).inventory.entries.size;
    assert.equal(uid, 1);
    await world.patch(`${maps}/r-1?fieldManager=kubectl-edit`, { data: { theirs: "1" } });
    const second = await world.apply("r", [replaced({ a: "2", b: "1", c: "1" })], { generation: 2 });
    assert.equal(second.counts.configured, 1, show(second));
    assert.deepEqual((await world.get(`${maps}/r-1`))?.["data"], { a: "2", b: "1", c: "1" });
    await world.apply("r", [replaced({ a: "2", b: "1" })], { generation: 3 });
    assert.deepEqual((await world.get(`${maps}/r-1`))?.["data"], { a: "2", b: "1" });
    assert.equal((await world.apply("r", [replaced({ a: "2", b: "1" })], { generation: 4 })).counts.unchanged, 1);
  });
});

function managersOf(live: KubeObject | undefined): readonly (string | undefined)[] {
  return (live?.metadata.managedFields ?? []).map(({ manager }) => manager);
}

function annotated(manifest: unknown, annotations: Record<string, string>): unknown {
  const { metadata, ...rest } = manifest as KubeObject;
  return { ...rest, metadata: { ...metadata, annotations: { ...metadata.annotations, ...annotations } } };
}

function custom(group: string, kind: string, metadata: object, spec: object = {}): unknown {
  return { apiVersion: `${group}/v1`, kind, metadata, spec };
}

function definition(group: string, kind: string, plural: string): unknown {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      scope: "Namespaced",
      names: { kind, plural, singular: kind.toLowerCase() },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}
