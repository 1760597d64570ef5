import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools, type Tools } from "../toolchain/tools.ts";
import { ApiServer } from "./api-server.ts";
import { KubeClient } from "./kube-client.ts";
import { until } from "./wait.ts";

const tools: Tools = await ensureTools(["kubectl"], { ifPresent: ["kubeApiserver", "etcd", "kubeControllerManager"] });
const skip = skipReason(tools, realCluster);
const configMap = (name: string, value: string) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data: { value },
});
const at = (name: string) => `/api/v1/namespaces/default/configmaps/${name}`;

describe("a real API server", { skip }, () => {
  let server: ApiServer;
  before(async () => {
    server = await ApiServer.start({ tools, name: "test" });
  });
  after(() => server[Symbol.asyncDispose]());

  test("holds RBAC: a ServiceAccount's token may do what its role says, and nothing else", async () => {
    using admin = new KubeClient(server.admin);
    await admin.create("/api/v1/namespaces/default/serviceaccounts", {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: "reader" },
    });
    await admin.apply("/apis/rbac.authorization.k8s.io/v1/clusterroles/see", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRole",
      metadata: { name: "see" },
      rules: [{ apiGroups: [""], resources: ["configmaps"], verbs: ["get"] }],
    });
    await admin.apply("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/reader", {
      apiVersion: "rbac.authorization.k8s.io/v1",
      kind: "ClusterRoleBinding",
      metadata: { name: "reader" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "see" },
      subjects: [{ kind: "ServiceAccount", namespace: "default", name: "reader" }],
    });
    await admin.apply(at("seen"), configMap("seen", "1"));
    const token = await server.tokenFor("default", "reader");
    using reader = new KubeClient({ ...server.admin, token });
    await until("the role to count", async () => (await reader.send("GET", at("seen"))).status === 200, 5_000);
    assert.equal((await reader.send("DELETE", at("seen"))).status, 403);
    assert.equal((await reader.send("GET", "/api/v1/namespaces/default/secrets")).status, 403);
  });

  test("kubectl works with the kubeconfig it gives", async () => {
    await server.kubectl(["apply", "--server-side", "-f", "-"], JSON.stringify(configMap("by-kubectl", "1")));
    assert.equal(await server.kubectl(["get", "configmap", "by-kubectl", "-o", "jsonpath={.data.value}"]), "1");
    assert.equal((await server.tryKubectl(["get", "configmap", "none"])).code, 1);
  });

  test("killed whole and started again it keeps its data, its certificate and its incarnation", async () => {
    using admin = new KubeClient(server.admin);
    await admin.apply(at("kept"), configMap("kept", "1"));
    const uid = await server.uid();
    await server.killAll();
    await assert.rejects(admin.get(at("kept")));
    await server.restart();
    assert.deepEqual((await admin.get(at("kept")))?.["data"], { value: "1" });
    assert.equal(await server.uid(), uid);
  });

  test("two side by side are two clusters", async () => {
    await using other = await ApiServer.start({ tools, name: "other" });
    assert.notEqual(await other.uid(), await server.uid());
  });
});

const noManager = skipReason(tools, [...realCluster, "kubeControllerManager"]);
test("with kube-controller-manager, what an owner left behind is collected", { skip: noManager }, async () => {
  await using server = await ApiServer.start({ tools, name: "managed", controllerManager: true });
  using admin = new KubeClient(server.admin);
  const owner = await admin.apply(at("owner"), configMap("owner", "1"));
  const reference = { apiVersion: "v1", kind: "ConfigMap", name: "owner", uid: owner.metadata.uid };
  const child = configMap("child", "1");
  await admin.apply(at("child"), { ...child, metadata: { ...child.metadata, ownerReferences: [reference] } });
  await admin.delete(at("owner"));
  await until("the child's end", async () => (await admin.get(at("child"))) === undefined, 30_000);
});
