import assert from "node:assert/strict";
import { it } from "node:test";
import { describeOnKube, show } from "../testing/kube-suite.ts";
import { configMap, KubeWorld, plainPolicy } from "../testing/kube-world.ts";
import { until } from "../testing/until.ts";

const maps = "/api/v1/namespaces/default/configmaps";

describeOnKube("trouble in the cluster", (suite) => {
  it("says that a namespace is being deleted", async () => {
    const { world } = suite;
    await world.namespace("a-going");
    await world.send("DELETE", "/api/v1/namespaces/a-going");
    const result = await world.apply("a", [configMap("a-1", {}, "a-going"), configMap("a-2")]);
    assert.equal(result.counts.created, 1, show(result));
    assert.equal(result.errors[0]?.code, "conflict");
    assert.equal(result.errors[0]?.retryable, true);
    assert.match(result.errors[0]?.message ?? "", /being terminated/);
  });

  it("waits for a wanted object that is being deleted, and makes it again", async () => {
    const { world } = suite;
    const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "g-1" }, data: { key: "value" } };
    await world.apply("g", [held, configMap("g-2")]);
    await world.patch(`${maps}/g-1`, { metadata: { finalizers: ["example.com/wait"] } });
    await world.send("DELETE", `${maps}/g-1`);
    const waiting = await world.apply("g", [held], { generation: 2 });
    assert.equal(waiting.phase, "Pending", show(waiting));
    assert.equal(waiting.counts.deleting, 1, show(waiting));
    assert.match(waiting.outcomes[0]?.reason ?? "", /held by finalizers example.com\/wait; it is made again/);
    assert.equal(waiting.inventory.applied, false);
    await world.patch(`${maps}/g-1`, { metadata: { finalizers: null } });
    const made = await world.apply("g", [held], { generation: 2 });
    assert.equal(made.counts.created, 1, show(made));
    assert.equal(made.counts.pruned, 1);
  });

  it("says that an admission webhook is down, and applies what it does not guard", async () => {
    const { world } = suite;
    await world.send("POST", "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
      metadata: { name: "guard" },
      webhooks: [
        {
          name: "guard.example.com",
          clientConfig: { url: "https://127.0.0.1:1/guard" },
          rules: [{ apiGroups: [""], apiVersions: ["v1"], operations: ["*"], resources: ["configmaps"] }],
          objectSelector: { matchLabels: { guarded: "yes" } },
          sideEffects: "None",
          admissionReviewVersions: ["v1"],
          timeoutSeconds: 1,
        },
      ],
    });
    const guarded = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "b-1", labels: { guarded: "yes" } } };
    const result = await world.apply("b", [guarded, configMap("b-2")]);
    assert.equal(result.counts.created, 1, show(result));
    assert.equal(result.errors[0]?.code, "cluster-refused");
    assert.equal(result.errors[0]?.retryable, true);
    assert.match(result.errors[0]?.message ?? "", /failed calling webhook "guard.example.com"/);
  });

  it("takes objects for gone whose CRD was deleted", async () => {
    const { world } = suite;
    const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
    await world.send("POST", definitions, definition());
    await until(async () => {
      await world.kinds.refresh(world.signal);
      return world.kinds.find({ group: "c.example.com", version: "v1", kind: "Thing" }, world.signal);
    });
    const thing = { apiVersion: "c.example.com/v1", kind: "Thing", metadata: { name: "c-1" } };
    const first = await world.apply("c", [thing, configMap("c-2")]);
    assert.equal(first.counts.created, 2, show(first));
    await world.send("DELETE", `${definitions}/things.c.example.com`);
    await until(async () => (await world.get(`${definitions}/things.c.example.com`)) === undefined);
    await world.kinds.refresh(world.signal);
    const wanted = await world.apply("c", [thing, configMap("c-2")], { generation: 2 });
    assert.equal(wanted.errors[0]?.code, "kind-not-served", show(wanted));
    assert.equal(wanted.inventory.entries.size, 2, "what is wanted stays in the books");
    const dropped = await world.apply("c", [configMap("c-2")], { generation: 3 });
    assert.equal(dropped.counts.pruned, 1, show(dropped));
    assert.equal(dropped.inventory.entries.size, 1);
  });

  it("keeps an object whose deletion is denied in its books", async () => {
    const { world } = suite;
    const account = { namespace: "default", name: "no-delete" };
    const verbs = ["get", "create", "patch"];
    const group = "rbac.authorization.k8s.io";
    await world.apply("d-setup", [
      {
        apiVersion: `${group}/v1`,
        kind: "Role",
        metadata: { name: "d" },
        rules: [{ apiGroups: [""], resources: ["configmaps"], verbs }],
      },
      {
        apiVersion: `${group}/v1`,
        kind: "RoleBinding",
        metadata: { name: "d" },
        roleRef: { apiGroup: group, kind: "Role", name: "d" },
        subjects: [{ kind: "ServiceAccount", ...account }],
      },
    ]);
    const policy = { ...plainPolicy, account };
    await world.apply("d", [configMap("d-1"), configMap("d-2")], { policy });
    const denied = await world.apply("d", [configMap("d-1")], { generation: 2, policy });
    assert.equal(denied.counts.failed, 1, show(denied));
    assert.match(
      denied.errors[0]?.message ?? "",
      /service account default\/no-delete may not delete ConfigMap default\/d-2/,
    );
    assert.equal(denied.inventory.entries.size, 2);
    const allowed = await world.apply("d", [configMap("d-1")], { generation: 2 });
    assert.equal(allowed.counts.pruned, 1, show(allowed));
  });

  it("applies nothing while the books cannot be written", async () => {
    const { server, world } = suite;
    const poor = new KubeWorld(server);
    poor.intercept = (request) => {
      if (request.path.includes("capstan-inventory") && request.method === "PATCH")
        throw new Error("the books are shut");
    };
    try {
      await assert.rejects(poor.apply("e", [configMap("e-1")]));
      await assert.rejects(poor.apply("e", [configMap("e-1")]));
      assert.equal(await world.get(`${maps}/e-1`), undefined);
    } finally {
      poor.stop();
    }
  });

  it("says that an object is too large", async () => {
    const { world } = suite;
    const result = await world.apply("f", [configMap("f-1", { big: "x".repeat(1_400_000) }), configMap("f-2")]);
    assert.equal(result.counts.created, 1, show(result));
    assert.equal(result.counts.failed, 1);
    assert.match(result.errors[0]?.message ?? "", /ConfigMap default\/f-1/);
    assert.ok((result.errors[0]?.message.length ?? 0) < 2000);
  });
});

function definition(): unknown {
  const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
  return {
    metadata: { name: "things.c.example.com" },
    spec: {
      group: "c.example.com",
      scope: "Namespaced",
      names: { plural: "things", singular: "thing", kind: "Thing", listKind: "ThingList" },
      versions: [{ name: "v1", served: true, storage: true, schema }],
    },
  };
}
