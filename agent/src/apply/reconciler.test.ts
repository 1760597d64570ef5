import assert from "node:assert/strict";
import { it } from "node:test";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, deployment, plainPolicy } from "../testing/kube-world.ts";

const maps = "/api/v1/namespaces/default/configmaps";

describeOnKube("apply", (suite) => {
  it("writes nothing for an unchanged bundle, not even with a new generation", async () => {
    const { world } = suite;
    const bundle = [configMap("a-config"), deployment("a-web"), service("a-web"), secret("a-secret")];
    const first = await world.apply("a", bundle);
    assert.equal(first.phase, "Applied", show(first));
    assert.equal(first.counts.created, 4);
    const versions = await versionsOf();
    world.forgetRequests();
    const second = await world.apply("a", bundle, { generation: 2 });
    assert.equal(second.counts.unchanged, 4, show(second));
    assert.deepEqual(
      world.writes.filter((request) => !request.path.includes("capstan-inventory")),
      [],
    );
    assert.deepEqual(await versionsOf(), versions);
    world.forgetRequests();
    await world.apply("a", bundle, { generation: 2 });
    assert.deepEqual(world.writes, []);

    function versionsOf() {
      const paths = [
        `${maps}/a-config`,
        "/apis/apps/v1/namespaces/default/deployments/a-web",
        "/api/v1/namespaces/default/services/a-web",
        "/api/v1/namespaces/default/secrets/a-secret",
      ];
      return Promise.all(paths.map(async (path) => (await world.get(path))?.metadata.resourceVersion));
    }
  });

  it("changes only the object that changed, and says which fields", async () => {
    const { world } = suite;
    await world.apply("b", [configMap("b-1"), deployment("b-web", "nginx:1")]);
    world.forgetRequests();
    const result = await world.apply("b", [configMap("b-1"), deployment("b-web", "nginx:2")], { generation: 2 });
    assert.equal(result.counts.configured, 1, show(result));
    assert.equal(result.counts.unchanged, 1);
    const paths = result.outcomes.flatMap((one) => one.differences ?? []).map((difference) => difference.path);
    assert.deepEqual(paths, ["spec.template.spec.containers[name=main].image"]);
  });

  it("removes a field that the bundle dropped and keeps one that another manager added", async () => {
    const { world } = suite;
    await world.apply("c", [configMap("c-1", { ours: "1", old: "1" })]);
    await world.patch(`${maps}/c-1?fieldManager=kubectl-edit`, { data: { theirs: "1" } });
    await world.apply("c", [configMap("c-1", { ours: "2" })], { generation: 2 });
    const live = await world.get(`${maps}/c-1`);
    assert.deepEqual(live?.["data"], { ours: "2", theirs: "1" });
  });

  it("applies a CRD and its resources in one bundle", async () => {
    const { world } = suite;
    const bundle = [widget("w1"), widgetDefinition()];
    const result = await world.apply("d", bundle);
    assert.equal(result.counts.created, 2, show(result));
    assert.ok(await world.get("/apis/example.com/v1/namespaces/default/widgets/w1"));
    const again = await world.apply("d", bundle, { generation: 2 });
    assert.equal(again.counts.unchanged, 2, show(again));
  });

  it("fails a resource of an unknown kind alone, and goes on", async () => {
    const { world } = suite;
    const bundle = [{ apiVersion: "nobody.example/v1", kind: "Ghost", metadata: { name: "g" } }, configMap("e-1")];
    const result = await world.apply("e", bundle);
    assert.equal(result.counts.created, 1, show(result));
    assert.equal(result.errors[0]?.code, "kind-not-served");
    assert.match(result.errors[0]?.message ?? "", /no kind Ghost in nobody.example\/v1/);
  });

  it("writes nothing at all of an atomic bundle with one bad object", async () => {
    const { world } = suite;
    const bad = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "f-2" }, data: { "bad key!": "x" } };
    const policy = { ...plainPolicy, onError: "atomic" as const };
    const worse = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "f-3" }, immutable: "maybe" };
    const result = await world.apply("f", [configMap("f-1"), bad, worse], { policy });
    assert.equal(result.counts.failed, 2, show(result));
    assert.equal(result.counts.skipped, 1);
    assert.equal(await world.get(`${maps}/f-1`), undefined);
    assert.equal(result.inventory.entries.size, 0);
  });

  it("makes namespaces before what is in them, from the bundle and by CreateNamespace", async () => {
    const { world } = suite;
    const space = { apiVersion: "v1", kind: "Namespace", metadata: { name: "g-own" } };
    const bundled = await world.apply("g", [configMap("g-1", {}, "g-own"), space]);
    assert.equal(bundled.counts.created, 2, show(bundled));
    const missing = await world.apply("g2", [configMap("g-2")], { namespace: "g-made" });
    assert.equal(missing.errors[0]?.code, "not-found", show(missing));
    assert.match(missing.errors[0]?.message ?? "", /namespace g-made does not exist/);
    const namespaceMetadata = { labels: { team: "a" }, annotations: {} };
    const policy = { ...plainPolicy, createNamespace: true, namespaceMetadata };
    const made = await world.apply("g2", [configMap("g-2")], { namespace: "g-made", policy });
    assert.equal(made.counts.created, 1, show(made));
    const live = await world.get("/api/v1/namespaces/g-made");
    assert.equal(live?.metadata.labels?.["team"], "a");
    assert.equal(made.inventory.entries.size, 1, "a namespace made for a target is not owned by it");
  });

  it("keeps each target's labels on a namespace that several share", async () => {
    const { world } = suite;
    const labelled = (labels: Record<string, string>) => {
      return { ...plainPolicy, createNamespace: true, namespaceMetadata: { labels, annotations: {} } };
    };
    const to = { namespace: "m-shared" };
    await world.apply("m1", [configMap("m-1")], { ...to, policy: labelled({ one: "1", old: "1" }) });
    await world.apply("m2", [configMap("m-2")], { ...to, policy: labelled({ two: "2" }) });
    await world.apply("m1", [configMap("m-1")], { ...to, generation: 2, policy: labelled({ one: "1" }) });
    const labels = (await world.get("/api/v1/namespaces/m-shared"))?.metadata.labels;
    assert.deepEqual(labels, { one: "1", two: "2", "kubernetes.io/metadata.name": "m-shared" });
  });

  it("leaves ignored differences alone, and writes them only where they are not to be respected", async () => {
    const { world } = suite;
    const path = "/apis/apps/v1/namespaces/default/deployments/l-web";
    const rule = { group: "apps", kind: "Deployment", namespace: "", name: "", jsonPointers: ["/spec/replicas"] };
    const bot = {
      group: "*",
      kind: "*",
      namespace: "",
      name: "",
      jsonPointers: [],
      jqPaths: [],
      managers: ["image-bot"],
    };
    const ignore = [{ ...rule, jqPaths: [], managers: [] }, bot];
    const policy = { ...plainPolicy, ignore };
    await world.apply("l", [deployment("l-web", "nginx:1", 1)], { policy });
    await world.patch(`${path}?fieldManager=autoscaler`, { spec: { replicas: 7 } });
    await world.patch(`${path}?fieldManager=image-bot`, { metadata: { labels: { app: "bot" } } });
    const same = await world.apply("l", [deployment("l-web", "nginx:1", 1)], { policy, generation: 2 });
    assert.equal(same.counts.unchanged, 1, show(same));
    const changed = await world.apply("l", [deployment("l-web", "nginx:2", 1)], { policy, generation: 3 });
    assert.equal(changed.counts.configured, 1, show(changed));
    assert.equal(replicasOf(await world.get(path)), 7);
    const written = { ...plainPolicy, ignore, respectIgnored: false };
    await world.apply("l", [deployment("l-web", "nginx:3", 1)], { policy: written, generation: 4 });
    assert.equal(replicasOf(await world.get(path)), 1);
  });

  it("reports an immutable field by name, with what to do", async () => {
    const { world } = suite;
    await world.apply("h", [job("h-job", "one")]);
    const result = await world.apply("h", [job("h-job", "two")], { generation: 2 });
    const fault = result.errors[0];
    assert.equal(fault?.code, "cluster-refused", show(result));
    assert.match(fault.message, /spec\.template.*field is immutable/s);
    assert.match(fault.next ?? "", /cannot be changed on a live object/);
  });

  it("never shows a secret's value, not even in the server's own words", async () => {
    const { world } = suite;
    const base = { apiVersion: "v1", kind: "Secret", metadata: { name: "i-secret" } };
    await world.apply("i", [{ ...base, immutable: true, stringData: { password: "hunter2" } }]);
    const refused = await world.apply("i", [{ ...base, immutable: true, stringData: { password: "hunter3" } }], {
      generation: 2,
    });
    assert.match(refused.errors[0]?.message ?? "", /Secret default\/i-secret: data: field is immutable/);
    const bad = await world.apply("i2", [{ ...base, metadata: { name: "i-2" }, data: { "bad key!": "aHVudGVyMg==" } }]);
    assert.equal(bad.counts.failed, 1);
    const seen = JSON.stringify([refused, bad], (_, value) =>
      value instanceof Error ? { ...value, text: `${value.message} ${String(value.cause)}` } : value,
    );
    assert.doesNotMatch(seen, /hunter|aHVudGVy/);
  });

  it("explains bad manifests by name and goes on with the others", async () => {
    const { world } = suite;
    const result = await world.apply("j", [
      { kind: "ConfigMap", metadata: { name: "x" } },
      { apiVersion: "v1", kind: "ConfigMap", metadata: { generateName: "x-" } },
      configMap("j-1"),
      configMap("j-1"),
      { apiVersion: "v1", kind: "List", items: [configMap("j-2")] },
      { ...(configMap("j-3") as object), metadata: { name: "j-3", uid: "x", resourceVersion: "1", managedFields: [] } },
    ]);
    assert.equal(result.counts.failed, 3, show(result));
    assert.equal(result.counts.created, 3, show(result));
  });

  it("names duplicate list entries, once", async () => {
    const { world } = suite;
    const web = deployment("k-web") as { spec: { template: { spec: { containers: { env?: unknown }[] } } } };
    const first = web.spec.template.spec.containers[0];
    if (first !== undefined)
      first.env = [
        { name: "A", value: "1" },
        { name: "A", value: "2" },
      ];
    const result = await world.apply("k", [web]);
    assert.equal(result.counts.failed, 1, show(result));
    assert.equal(result.errors[0]?.retryable, false, result.errors[0]?.message);
    assert.match(result.errors[0]?.message ?? "", /duplicate|"A"/);
  });
});

function replicasOf(object: unknown): unknown {
  return (object as { spec?: { replicas?: number } } | undefined)?.spec?.replicas;
}

function service(name: string): unknown {
  const spec = { selector: { app: name }, ports: [{ port: 80 }] };
  return { apiVersion: "v1", kind: "Service", metadata: { name }, spec };
}

function secret(name: string): unknown {
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, stringData: { password: "hunter2" } };
}

function job(name: string, image: string): unknown {
  const spec = { restartPolicy: "Never", containers: [{ name: "main", image }] };
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name }, spec: { template: { spec } } };
}

function widget(name: string): unknown {
  return { apiVersion: "example.com/v1", kind: "Widget", metadata: { name }, spec: { size: 1 } };
}

function widgetDefinition(): unknown {
  const size = { type: "object", properties: { size: { type: "integer" } } };
  const schema = { openAPIV3Schema: { type: "object", properties: { spec: size } } };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: "widgets.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "widgets", singular: "widget", kind: "Widget", listKind: "WidgetList" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}
