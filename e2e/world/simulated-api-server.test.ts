import assert from "node:assert/strict";
import { request as httpsRequest } from "node:https";
import { after, before, describe, test } from "node:test";
import { ensureTools } from "../toolchain/tools.ts";
import { KubeClient, type KubeObject } from "./kube-client.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { runOrThrow } from "./process.ts";
import { makeCertificate } from "./simulated-api-server/certificate.ts";
import { SimulatedApiServer } from "./simulated-api-server/server.ts";
import { TempDir } from "./temp.ts";
import { until } from "./wait.ts";

const tools = await ensureTools(["kubectl"]);
const certificate = await makeCertificate();
const maps = "/api/v1/namespaces/default/configmaps";
const configMap = (name: string, data: Record<string, string>): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default" },
  data,
});
const deployment = (name: string, image: string, replicas = 2): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace: "default" },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: { metadata: { labels: { app: name } }, spec: { containers: [{ name: "web", image }] } },
  },
});
const apply = { contentType: "application/apply-patch+yaml" };
const field = (object: unknown, ...path: (string | number)[]): unknown =>
  path.reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], object);

describe("the simulated API server", () => {
  let server: SimulatedApiServer;
  let client: KubeClient;
  before(async () => {
    server = await SimulatedApiServer.start({ id: "one", certificate, pace: { readyAfter: 40 }, bookmarkEvery: 20 });
    client = new KubeClient(server.admin);
  });
  after(async () => {
    client[Symbol.dispose]();
    await server[Symbol.asyncDispose]();
  });

  test("creates, reads, patches, and deletes with preconditions", async () => {
    const made = await client.create(maps, configMap("crud", { a: "1" }));
    assert.equal((await client.send("POST", maps, { body: configMap("crud", {}) })).status, 409);
    const merged = await client.merge(`${maps}/crud`, { data: { b: "2", a: null } });
    assert.deepEqual(merged["data"], { b: "2" });
    const stale = { ...merged, metadata: { ...merged.metadata, resourceVersion: made.metadata.resourceVersion } };
    assert.equal((await client.send("PUT", `${maps}/crud`, { body: stale })).status, 409);
    const wrong = { preconditions: { uid: "other" } };
    assert.equal((await client.send("DELETE", `${maps}/crud`, { body: wrong })).status, 409);
    const right = { preconditions: { uid: made.metadata.uid } };
    assert.equal((await client.send("DELETE", `${maps}/crud`, { body: right })).status, 200);
    assert.equal(await client.get(`${maps}/crud`), undefined);
    const nowhere = "/api/v1/namespaces/none/configmaps";
    assert.equal(
      (await client.send("POST", nowhere, { body: { ...configMap("x", {}), metadata: { name: "x" } } })).status,
      404,
    );
  });

  test("server-side apply: owned fields go when left out, others' stay, conflicts are named, the same again is no write", async () => {
    const path = `${maps}/ssa`;
    const first = await client.apply(path, configMap("ssa", { a: "1", b: "1" }), "agent");
    const again = await client.apply(path, configMap("ssa", { a: "1", b: "1" }), "agent");
    assert.equal(again.metadata.resourceVersion, first.metadata.resourceVersion);
    await client.merge(path, { data: { theirs: "x" } }, "kubectl-edit");
    const second = await client.apply(path, configMap("ssa", { a: "2" }), "agent");
    assert.deepEqual(second["data"], { a: "2", theirs: "x" });
    const body = configMap("ssa", { a: "3" });
    const refused = await client.send("PATCH", `${path}?fieldManager=other`, { body, ...apply });
    assert.equal(refused.status, 409);
    assert.deepEqual(field(refused.body, "details", "causes", 0, "field"), ".data.a");
    assert.match(String(field(refused.body, "message")), /conflict with "agent"/);
    await client.apply(path, body, "other");
    const owners = (await client.get(path))?.metadata["managedFields"] as { readonly manager: string }[];
    assert.deepEqual(owners.map((owner) => owner.manager).sort(), ["kubectl-edit", "other"]);
    const dry = await client.send("PATCH", `${path}?fieldManager=agent&force=true&dryRun=All`, {
      body: configMap("ssa", { a: "9" }),
      ...apply,
    });
    assert.equal(field(dry.body, "data", "a"), "9");
    assert.equal(field(await client.get(path), "data", "a"), "3");
  });

  test("containers merge by name, so that a sidecar that somebody added stays", async () => {
    const path = "/apis/apps/v1/namespaces/default/deployments/merged";
    await client.apply(path, deployment("merged", "web:1"), "agent");
    const sidecar = { spec: { template: { spec: { containers: [{ name: "side", image: "side:1" }] } } } };
    const contentType = "application/strategic-merge-patch+json";
    await client.send("PATCH", `${path}?fieldManager=injector`, { body: sidecar, contentType });
    const after2 = await client.apply(path, deployment("merged", "web:2"), "agent");
    const images = field(after2, "spec", "template", "spec", "containers") as { readonly image: string }[];
    assert.deepEqual(
      images.map(({ image }) => image),
      ["web:2", "side:1"],
    );
    assert.equal(after2.metadata.generation, 3);
  });

  test("a sound workload becomes ready; a broken image crashes and never does", async () => {
    const base = "/apis/apps/v1/namespaces/default/deployments";
    await client.apply(`${base}/sound`, deployment("sound", "web:1"));
    await client.apply(`${base}/bad`, deployment("bad", "web:broken"));
    const ready = async () => field(await client.get(`${base}/sound`), "status", "readyReplicas") === 2;
    await until("two ready replicas", ready, 2_000);
    const pods = () => client.list("/api/v1/namespaces/default/pods?labelSelector=app=bad");
    const reason = (pod: unknown) => field(pod, "status", "containerStatuses", 0, "state", "waiting", "reason");
    await until("the crash", async () => (await pods()).some((pod) => reason(pod) === "CrashLoopBackOff"), 2_000);
    assert.equal(field(await client.get(`${base}/bad`), "status", "readyReplicas"), undefined);
    await client.apply(`${base}/bad`, deployment("bad", "web:2"));
    await until("the cure", async () => field(await client.get(`${base}/bad`), "status", "readyReplicas") === 2, 2_000);
    await client.delete(`${base}/bad`);
    assert.deepEqual(await pods(), []);
  });

  test("a CustomResourceDefinition brings its kind, and takes its objects along when it goes", async () => {
    const crd = {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "cranes.example.com" },
      spec: {
        group: "example.com",
        scope: "Namespaced",
        names: { kind: "Crane", plural: "cranes" },
        versions: [{ name: "v1", served: true, storage: true, subresources: { status: {} } }],
      },
    };
    const at = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/cranes.example.com";
    const cranes = "/apis/example.com/v1/namespaces/default/cranes";
    assert.equal((await client.send("GET", cranes)).status, 404);
    await client.apply(at, crd);
    const body = {
      apiVersion: "example.com/v1",
      kind: "Crane",
      metadata: { name: "c" },
      spec: {},
      status: { up: true },
    };
    const crane = await client.apply(`${cranes}/c`, body);
    assert.equal(crane["status"], undefined);
    const resources = await client.get<{ resources: { name: string }[] }>("/apis/example.com/v1");
    assert.deepEqual(
      resources?.resources.map(({ name }) => name),
      ["cranes", "cranes/status"],
    );
    await client.delete(at);
    assert.equal((await client.send("GET", cranes)).status, 404);
  });

  test("finalizers hold an object; a namespace takes its content along", async () => {
    await client.create("/api/v1/namespaces", { apiVersion: "v1", kind: "Namespace", metadata: { name: "team" } });
    const inside = "/api/v1/namespaces/team/configmaps";
    const held = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "held", finalizers: ["example.com/hold"] } };
    await client.create(inside, held);
    await client.delete(`${inside}/held`);
    assert.ok((await client.get(`${inside}/held`))?.metadata["deletionTimestamp"]);
    await client.merge(`${inside}/held`, { metadata: { finalizers: null } });
    assert.equal(await client.get(`${inside}/held`), undefined);
    await client.create(inside, { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "other" } });
    await client.delete("/api/v1/namespaces/team");
    assert.deepEqual(await client.list(inside), []);
  });

  test("a watch tells every change in order, sends bookmarks, ends with 410 when it is too far behind", async () => {
    const list = await client.get<{ metadata: { resourceVersion: string } }>(`${maps}?labelSelector=w=1`);
    const from = list?.metadata.resourceVersion;
    const path = `${maps}?watch=true&allowWatchBookmarks=true&labelSelector=w%3D1&resourceVersion=${from}`;
    using watch = openWatch(server, path);
    const labelled = {
      ...configMap("w", { a: "1" }),
      metadata: { name: "w", namespace: "default", labels: { w: "1" } },
    };
    await client.create(maps, labelled);
    await client.merge(`${maps}/w`, { data: { a: "2" } });
    await client.merge(`${maps}/w`, { metadata: { labels: { w: "2" } } });
    const types = () => watch.events.map((event) => event.type).filter((type) => type !== "BOOKMARK");
    await until("three events", () => types().length === 3, 2_000);
    assert.deepEqual(types(), ["ADDED", "MODIFIED", "DELETED"]);
    await until("a bookmark", () => watch.events.some((event) => event.type === "BOOKMARK"), 2_000);
    server.expireWatches();
    await until("the end", () => watch.ended, 2_000);
    using late = openWatch(server, path);
    await until(
      "410",
      () => late.events.some((event) => event.type === "ERROR" && event.object["code"] === 410),
      2_000,
    );
  });

  test("metadata alone, pages, and selectors", async () => {
    for (const name of ["p1", "p2", "p3"]) {
      const metadata = { name, namespace: "default", labels: { page: "yes", name } };
      await client.create(maps, { ...configMap(name, { big: "x" }), metadata });
    }
    type List = { kind: string; metadata: { continue?: string }; items: KubeObject[] };
    const accept = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json";
    const partial = await client.send("GET", `${maps}?labelSelector=page`, { headers: { accept } });
    assert.equal((partial.body as List).kind, "PartialObjectMetadataList");
    assert.equal((partial.body as List).items[0]?.["data"], undefined);
    const first = await client.get<List>(`${maps}?labelSelector=page&limit=2`);
    const second = await client.get<List>(`${maps}?labelSelector=page&limit=2&continue=${first?.metadata.continue}`);
    assert.deepEqual(
      [...(first?.items ?? []), ...(second?.items ?? [])].map((item) => item.metadata.name),
      ["p1", "p2", "p3"],
    );
    const chosen = await client.list(`${maps}?labelSelector=${encodeURIComponent("name in (p1,p3),page!=no")}`);
    assert.equal(chosen.length, 2);
  });

  test("planted faults strike as often as told; who acts is known; who may not is refused", async () => {
    const writes = server.writes();
    server.faults.add({
      fault: { kind: "status", code: 429, retryAfterSeconds: 1 },
      when: ({ verb }) => verb === "create",
      times: 1,
    });
    assert.equal((await client.send("POST", maps, { body: configMap("f", {}) })).status, 429);
    server.faults.add({ fault: { kind: "lost" }, when: ({ verb }) => verb === "create", times: 1 });
    await assert.rejects(client.send("POST", maps, { body: configMap("f", {}) }));
    assert.equal((await client.get(`${maps}/f`))?.metadata.name, "f");
    assert.equal(server.writes(), writes + 2);
    server.authorise = ({ user, verb }) =>
      user !== "system:serviceaccount:default:team" || verb === "get" || "not this one";
    const headers = { "impersonate-user": "system:serviceaccount:default:team" };
    assert.equal((await client.send("DELETE", `${maps}/f`, { headers })).status, 403);
    assert.equal((await client.send("GET", `${maps}/f`, { headers })).status, 200);
    server.authorise = () => true;
  });

  test("kubectl reads, writes and discovers", async () => {
    await using dir = await TempDir.make("kubectl");
    const config = await writeKubeconfig(dir.at("config"), "one", server.admin);
    const kubectl = (args: string[], input = "") =>
      runOrThrow({
        name: "kubectl",
        binary: tools.kubectl,
        args: ["--kubeconfig", config, ...args],
        env: { HOME: dir.path },
        input,
      });
    await kubectl(["create", "--validate=false", "-f", "-"], JSON.stringify(configMap("k", { a: "1" })));
    assert.equal(await kubectl(["get", "configmap", "k", "-o", "jsonpath={.data.a}"]), "1");
    assert.match(await kubectl(["api-resources", "--api-group=apps"]), /deployments/);
    await kubectl(
      ["apply", "--server-side", "--validate=false", "-f", "-"],
      JSON.stringify(configMap("k2", { a: "1" })),
    );
    assert.match(await kubectl(["get", "nodes"]), /node-1/);
  });
});

test("stopped and started again it is the same cluster; another id is another one", async () => {
  await using one = await SimulatedApiServer.start({ id: "a" });
  using client = new KubeClient(one.admin);
  const uid = async () => (await client.get("/api/v1/namespaces/kube-system"))?.metadata.uid;
  const before1 = await uid();
  assert.equal(before1, one.cluster.uid);
  await one.stop();
  await assert.rejects(uid());
  await one.restart();
  assert.equal(await uid(), before1);
  await using other = await SimulatedApiServer.start({ id: "b" });
  assert.notEqual(other.cluster.uid, one.cluster.uid);
});

test("two hundred clusters live in one process, for less than half a megabyte each", async () => {
  await using stack = new AsyncDisposableStack();
  const before2 = process.memoryUsage().rss;
  const servers: SimulatedApiServer[] = [];
  for (let index = 0; index < 200; index += 1) {
    servers.push(stack.use(await SimulatedApiServer.start({ id: `c${index}`, certificate })));
  }
  for (const one of servers) {
    using client = new KubeClient(one.admin);
    await client.apply(`${maps}/hello`, configMap("hello", { from: one.cluster.id }));
  }
  const each = (process.memoryUsage().rss - before2) / servers.length;
  assert.ok(each < 512 * 1024, `${Math.round(each / 1024)} KiB each`);
});

type WatchEvent = { readonly type: string; readonly object: KubeObject };

function openWatch(server: SimulatedApiServer, path: string) {
  const state = { events: [] as WatchEvent[], ended: false, [Symbol.dispose]: () => void request.destroy() };
  let text = "";
  const request = httpsRequest(`${server.url}${path}`, { ca: certificate.certificate }, (response) => {
    response.on("data", (chunk) => {
      text += chunk;
      const lines = text.split("\n");
      text = lines.pop() ?? "";
      for (const line of lines) state.events.push(JSON.parse(line) as WatchEvent);
    });
    response.on("close", () => {
      state.ended = true;
    });
    response.on("error", () => undefined);
  });
  request.on("error", () => undefined);
  request.end();
  return state;
}
