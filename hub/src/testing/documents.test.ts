import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId } from "@capstan/proto";
import { clusterDocument, fleetOf, fleetRepository, manifest, setDocument } from "./world.ts";

const never = new AbortController().signal;

function application(name: string, wish: { path: string; cluster: string; project?: string; prune?: boolean }): string {
  const { path, cluster, project = "default", prune = false } = wish;
  return `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: ${name}, finalizers: [resources-finalizer.argocd.argoproj.io] }
spec:
  project: ${project}
  source: { repoURL: "${fleetRepository}", path: ${path} }
  destination: { name: ${cluster}, namespace: argocd }
  syncPolicy: { automated: { prune: ${prune} } }
`;
}

test("an application of applications makes them, and what it no longer makes goes only where it prunes", async () => {
  const child = (cluster: string) => application("child", { path: "apps/web", cluster });
  const world = await fleetOf(
    3,
    {},
    {
      "documents/root.yaml": application("root", { path: "children", cluster: "in-cluster" }),
      "children/child.yaml": child("a"),
      "children/other.yaml": application("other", { path: "apps/web", cluster: "b" }),
    },
  );
  assert.equal("argocd/child" in world.agent("a").holds(), true);
  world.commit({ "children/child.yaml": null });
  await world.settle(60_000);
  assert.equal("argocd/child" in world.agent("a").holds(), true);
  world.commit({
    "documents/root.yaml": application("root", { path: "children", cluster: "in-cluster", prune: true }),
  });
  await world.settle(60_000);
  assert.equal(world.hub.documents.registry.get("Application/argocd/child"), undefined);
  await world.end();
});

test("a project that does not permit it makes no documents", async () => {
  const project = `apiVersion: argoproj.io/v1alpha1
kind: AppProject
metadata: { name: team }
spec: { sourceRepos: ["*"], destinations: [{ name: "a", namespace: "*" }] }
`;
  const world = await fleetOf(
    2,
    {},
    {
      "documents/team.yaml": project,
      "documents/root.yaml": application("root", { path: "children", cluster: "in-cluster", project: "team" }),
      "children/wide.yaml": project.replace("name: team", "name: wide"),
    },
  );
  assert.equal(world.hub.documents.registry.get("AppProject/argocd/wide"), undefined);
  assert.equal(world.hub.releases.state("argocd/root")?.targetFaults.get("argocd/root" as never)?.code, "not-allowed");
  await world.end();
});

test("an application that makes itself under ever new names ends", async () => {
  const world = await fleetOf(
    1,
    {},
    {
      "documents/root.yaml": application("r", { path: "c0", cluster: "in-cluster" }),
      ...Object.fromEntries(
        Array.from({ length: 20 }, (_, at) => [
          `c${at}/next.yaml`,
          application(`r${at}`, { path: `c${at + 1}`, cluster: "in-cluster" }),
        ]),
      ),
    },
  );
  await world.settle(60_000);
  const made = world.hub.documents.registry.all("Application").length;
  assert.ok(made > 5 && made < 12, `${made} applications`);
  await world.end();
});

test("two clusters of one name: nothing is sent to either by that name, and what stands stays", async () => {
  const world = await fleetOf(2);
  const before = world.holds();
  const twin = `${clusterDocument("b")}spec: { argocd: { name: a } }\n`;
  const one = application("one", { path: "apps/web", cluster: "a" });
  world.commit({ "documents/clusters/b.yaml": twin, "documents/one.yaml": one });
  await world.settle(60_000);
  assert.deepEqual(world.holds(), before);
  assert.deepEqual(world.hub.guard.lists(), []);
  assert.equal(world.hub.releases.state("argocd/one")?.targetFaults.get("argocd/one" as never)?.code, "name-conflict");
  await world.end();
});

test("a label that a person sets while the agent says hello is not lost", async () => {
  const world = await fleetOf(1);
  const clusters = world.hub.clusters;
  const id = "q" as ClusterId;
  await clusters.edit(id, { labels: { team: "x" } }, never);
  await Promise.all([
    clusters.edit(id, { labels: { env: "prod" } }, never),
    clusters.greet(id, { incarnation: "u", facts: undefined, version: "1", trust: undefined }, never),
    clusters.edit(id, { labels: { tier: "web" } }, never),
  ]);
  assert.deepEqual(clusters.get(id)?.labels, { team: "x", env: "prod", tier: "web" });
  assert.equal(clusters.record(id)?.incarnation, "u");
  await world.end();
});

test("an agent that lies about its revision, or a cluster whose state cannot be made, stops no other", async () => {
  const world = await fleetOf(3);
  const liar = world.agent("a");
  const before = liar.highWater;
  liar.highWater = 2n ** 64n - 1n;
  liar.connect();
  await world.settle();
  world.commit({ "documents/x.yaml": setDocument("x", { path: "apps/web" }) });
  await world.settle(90_000);
  assert.equal("argocd/x-b" in world.agent("b").holds(), true);
  assert.equal("argocd/x-c" in world.agent("c").holds(), true);
  assert.deepEqual(liar.goodbyes.slice(-1), ["bad-input"]);
  liar.highWater = before;
  liar.connect();
  await world.settle(90_000);
  assert.equal("argocd/x-a" in liar.holds(), true);
  await world.end();
});

test("a set over more repositories than are kept at once is worked out", async () => {
  const world = await fleetOf(1);
  const urls = Array.from({ length: 90 }, (_, at) => `https://git.example.com/team-${at}.git`);
  for (const [at, url] of urls.entries()) world.sources.commit(url, { [`apps/t${at}/x.yaml`]: manifest("x", url) });
  const elements = urls.map((url) => `{ url: "${url}" }`).join(", ");
  world.commit({
    "documents/many.yaml": `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: { name: many }
spec:
  generators:
    - matrix:
        generators:
          - list: { elements: [${elements}] }
          - git: { repoURL: "{{url}}", revision: main, directories: [{ path: "apps/*" }] }
  template:
    metadata: { name: "many-{{path.basename}}" }
    spec:
      project: default
      source: { repoURL: "{{url}}", path: "{{path}}", targetRevision: main }
      destination: { name: a, namespace: web }
      syncPolicy: { automated: {} }
`,
  });
  await world.settle(30_000);
  assert.equal(Object.keys(world.agent("a").holds()).length, 91);
  await world.end();
});
