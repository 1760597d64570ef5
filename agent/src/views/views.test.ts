import assert from "node:assert/strict";
import { after, before, it } from "node:test";
import { parseObjectKey, targetKey } from "@capstan/proto";
import type { ApplyResult } from "../apply/model.ts";
import { KubeLooks } from "../platform/kube/looks.ts";
import { describeOnKube } from "../testing/kube-suite.ts";
import { configMap, deployment, type KubeWorld } from "../testing/kube-world.ts";
import { Kubelet } from "../testing/kubelet.ts";
import { Mask } from "./mask.ts";
import type { LogLine } from "./model.ts";
import { type LogsAsked, Views } from "./reconciler.ts";

const namespace = "/namespaces/default";
const target = targetKey("argocd", "shop");
const usual: LogsAsked = { pod: "", container: "", tail: 0, previous: false, follow: false, sinceSeconds: 0 };

describeOnKube("views", (suite) => {
  const kubelet = new Kubelet();
  let applied: ApplyResult | undefined;
  const views = () => viewsOf(suite.world, applied);

  before(async () => {
    await kubelet.start();
    await suite.world.send("POST", `/api/v1${namespace}/serviceaccounts`, { metadata: { name: "default" } });
    applied = await suite.world.apply("shop", [
      deployment("web", "registry.example/web:9", 2),
      service,
      configMap("settings"),
    ]);
    await owned(suite.world, kubelet.port);
  });
  after(() => kubelet.stop());

  it("shows a tree of the target's objects and what they own, and not what others own", async () => {
    const { nodes, more } = await views().tree(target, suite.world.signal);
    const lines = nodes.map(
      ({ object, parent }) =>
        `${parseObjectKey(object).kind} ${parseObjectKey(object).name} < ${parent === undefined ? "" : parseObjectKey(parent).name}`,
    );
    assert.deepEqual(lines, [
      "Deployment web < ",
      "ReplicaSet web-7d < web",
      "Pod web-7d-1 < web-7d",
      "Pod web-7d-2 < web-7d",
      "Service web < ",
      "Endpoints web < web",
      "EndpointSlice web-x < web",
      "ConfigMap settings < ",
    ]);
    assert.equal(more, false);
    const [, , first, second] = nodes;
    assert.equal(first?.info, "1/1 ready, 2 restarts, on n1");
    assert.equal(first?.health, "Healthy");
    assert.equal(second?.message, "cannot pull image registry.example/web:9: not found");
    assert.doesNotMatch(JSON.stringify(nodes), /hunter2/);
  });

  it("lists events of those objects alone, newest first, at most so many", async () => {
    const all = await views().events(target, 0, suite.world.signal);
    assert.deepEqual(
      all.map(({ reason, object, count }) => `${reason} ${object} ${count}`),
      ["Failed Pod default/web-7d-2 7", "ScalingReplicaSet Deployment default/web 1"],
    );
    assert.equal((await views().events(target, 1, suite.world.signal)).length, 1);
  });

  it("reads the logs of all pods in the order of their times, with secret values masked", async () => {
    const mask = new Mask();
    mask.learn({ apiVersion: "v1", kind: "Secret", metadata: { name: "s" }, data: { password: btoa("hunter2-long") } });
    const lines = await logsOf(views().logs(target, usual, mask, suite.world.signal));
    const shown = lines.map((line) => ("line" in line ? `${line.pod} ${line.line}` : JSON.stringify(line)));
    assert.deepEqual(shown, ["web-7d-1 one", "web-7d-2 two", "web-7d-1 password is ***"]);
    assert.match(kubelet.asked.join("\n"), /containerLogs\/default\/web-7d-1\/main\?.*tailLines=200/);
  });

  it("asks for one pod's previous instance, and says what there is where there is none", async () => {
    const previous = { ...usual, pod: "web-7d-1", previous: true, tail: 5, sinceSeconds: 60 };
    await logsOf(views().logs(target, previous, new Mask(), suite.world.signal));
    assert.match(kubelet.asked.at(-1) ?? "", /web-7d-1.*previous=true.*sinceSeconds=60.*tailLines=5/);
    const never = views().logs(target, { ...usual, pod: "web-7d-2", previous: true }, new Mask(), suite.world.signal);
    await assert.rejects(logsOf(never), /no container of it has restarted/);
    const other = views().logs(target, { ...usual, pod: "stranger" }, new Mask(), suite.world.signal);
    await assert.rejects(logsOf(other), /the target has no pod stranger/);
    const wrong = views().logs(target, { ...usual, container: "sidecar" }, new Mask(), suite.world.signal);
    await assert.rejects(logsOf(wrong), /no pod of it has a container sidecar/);
  });

  it("follows a log until it is stopped, and lets go of the kubelet then", async () => {
    const stop = new AbortController();
    const lines: LogLine[] = [];
    const asked = { ...usual, pod: "web-7d-1", follow: true };
    for await (const text of views().logs(
      target,
      asked,
      new Mask(),
      AbortSignal.any([stop.signal, suite.world.signal]),
    )) {
      lines.push(...parsed(text));
      if (lines.length >= 3) stop.abort();
      else kubelet.write("2026-01-01T00:00:09Z late\n");
    }
    assert.equal(
      lines.some((line) => "line" in line && line.line === "late"),
      true,
    );
    await kubelet.released;
  });

  it("tells of a log that cannot be read beside those that can", async () => {
    kubelet.broken = "web-7d-2";
    const lines = await logsOf(views().logs(target, usual, new Mask(), suite.world.signal));
    kubelet.broken = "";
    assert.equal(lines.filter((line) => "line" in line).length, 2);
    const [problem] = lines.filter((line) => "problem" in line);
    assert.match(
      problem !== undefined && "problem" in problem ? `${problem.pod} ${problem.problem}` : "",
      /^web-7d-2 ./,
    );
  });
});

function viewsOf(world: KubeWorld, applied: ApplyResult | undefined): Views {
  const roots = [...(applied?.inventory.entries.values() ?? [])];
  return new Views({
    live: new KubeLooks(world.client, world.kinds),
    own: { objects: () => roots.map((ref) => [ref, { status: "Healthy", message: "" }] as const) },
    clock: world.ports.clock,
  });
}

async function logsOf(parts: AsyncIterable<string>): Promise<LogLine[]> {
  const lines: LogLine[] = [];
  for await (const text of parts) lines.push(...parsed(text));
  return lines;
}

function parsed(text: string): LogLine[] {
  return text.split("\n").flatMap((line) => (line === "" ? [] : [JSON.parse(line) as LogLine]));
}

const service = {
  apiVersion: "v1",
  kind: "Service",
  metadata: { name: "web" },
  spec: { selector: { app: "web" }, ports: [{ port: 80 }] },
};

/** What controllers would make, a node whose kubelet is the test's, and things that are nobody's. */
async function owned(world: KubeWorld, port: number): Promise<void> {
  const path = `/apis/apps/v1${namespace}/deployments/web`;
  const owner = await world.get(path);
  const uidOf = async (of: string) => (await world.get(of))?.metadata.uid ?? "";
  const labels = { app: "web" };
  const template = { metadata: { labels }, spec: { containers: [{ name: "main", image: "registry.example/web:9" }] } };
  const selector = { matchLabels: labels };
  for (const [name, replicas] of [
    ["web-7d", 2],
    ["web-old", 0],
  ] as const) {
    const ownerReferences = [
      { apiVersion: "apps/v1", kind: "Deployment", name: "web", uid: owner?.metadata.uid, controller: true },
    ];
    const body = {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name, ownerReferences },
      spec: { replicas, selector, template },
    };
    await world.send("POST", `/apis/apps/v1${namespace}/replicasets`, body);
  }
  await world.send("POST", "/api/v1/nodes", { metadata: { name: "n1" } });
  await world.patch("/api/v1/nodes/n1/status", {
    status: {
      addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
      daemonEndpoints: { kubeletEndpoint: { Port: port } },
    },
  });
  const set = await uidOf(`/apis/apps/v1${namespace}/replicasets/web-7d`);
  for (const name of ["web-7d-1", "web-7d-2", "stranger"]) {
    const ownerReferences = [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-7d", uid: set, controller: true }];
    const metadata = { name, ...(name === "stranger" ? {} : { ownerReferences }) };
    const env = [{ name: "PASSWORD", value: "hunter2-long" }];
    const spec = { nodeName: "n1", containers: [{ name: "main", image: "registry.example/web:9", env }] };
    await world.send("POST", `/api/v1${namespace}/pods`, { metadata, spec });
  }
  const container = { name: "main", image: "i", imageID: "" };
  await world.patch(`/api/v1${namespace}/pods/web-7d-1/status`, {
    status: {
      phase: "Running",
      conditions: [{ type: "Ready", status: "True" }],
      containerStatuses: [{ ...container, ready: true, restartCount: 2, state: { running: {} } }],
    },
  });
  const waiting = { reason: "ErrImagePull", message: "registry.example/web:9: not found" };
  await world.patch(`/api/v1${namespace}/pods/web-7d-2/status`, {
    status: {
      phase: "Pending",
      containerStatuses: [{ ...container, ready: false, restartCount: 0, state: { waiting } }],
    },
  });
  const serviceUid = await uidOf(`/api/v1${namespace}/services/web`);
  const ownerReferences = [{ apiVersion: "v1", kind: "Service", name: "web", uid: serviceUid, controller: true }];
  await world.send("POST", `/apis/discovery.k8s.io/v1${namespace}/endpointslices`, {
    metadata: { name: "web-x", ownerReferences },
    addressType: "IPv4",
    endpoints: [],
  });
  await world.send("POST", `/api/v1${namespace}/endpoints`, { metadata: { name: "web" } });
  const events = [
    ["web.1", "Deployment", "apps/v1", "web", "ScalingReplicaSet", 1, "2026-01-01T00:00:01Z"],
    ["web.2", "Pod", "v1", "web-7d-2", "Failed", 7, "2026-01-01T00:00:05Z"],
    ["web.3", "Pod", "v1", "stranger", "Killing", 1, "2026-01-01T00:00:06Z"],
  ] as const;
  for (const [event, kind, apiVersion, name, reason, count, lastTimestamp] of events) {
    const involvedObject = { kind, apiVersion, name, namespace: "default" };
    const body = {
      metadata: { name: event },
      involvedObject,
      reason,
      message: "it is so",
      type: "Warning",
      count,
      lastTimestamp,
    };
    await world.send("POST", `/api/v1${namespace}/events`, body);
  }
}
