import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId } from "@capstan/proto";
import { clusterDocument, fleetOf, fleetRepository, manifest, setDocument, type World } from "./world.ts";

const never = new AbortController().signal;

function tombstones(world: World): number {
  return [...world.agents.values()].flatMap(({ taken }) => taken.flatMap((state) => state.tombstones)).length;
}

test("a deleted set is held by the guard, and removed once a person approves the list", async () => {
  const world = await fleetOf(4);
  world.commit({ "documents/web.yaml": null });
  await world.settle(60_000);
  assert.equal(Object.keys(world.holds()).length, 4);
  const [list] = world.hub.guard.lists();
  assert.equal(list?.list.length, 4);
  await world.hub.guard.approve(list?.digest ?? ("" as never), { by: "ann", reason: "gone" }, never);
  world.hub.rollouts.wakeAll();
  await world.settle(30_000);
  assert.deepEqual(world.holds(), {});
  assert.deepEqual(
    [...world.agents.values()].map(({ state }) => state?.tombstones.length),
    [0, 0, 0, 0],
  );
  await world.end();
});

test("one target with a volume claim leaves only with a person's word, and its tombstone says whose", async () => {
  const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\n";
  const world = await fleetOf(6, {}, { "documents/one.yaml": application("a"), "apps/one/one.yaml": claim });
  assert.equal("argocd/one" in world.agent("a").holds(), true);
  world.commit({ "documents/one.yaml": null });
  await world.settle(60_000);
  assert.equal("argocd/one" in world.agent("a").holds(), true);
  const [list] = world.hub.guard.lists();
  assert.deepEqual(
    list?.rules.filter(({ rule }) => rule === "protected-kind").map(({ text }) => text),
    ["objects of protected kinds (PersistentVolumeClaim) would be deleted"],
  );
  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  assert.equal("argocd/one" in world.agent("a").holds(), true);
  await world.hub.guard.approve(list?.digest ?? ("" as never), { by: "ann", reason: "gone" }, never);
  await world.settle(30_000);
  assert.equal("argocd/one" in world.agent("a").holds(), false);
  const left = world.agent("a").taken.flatMap((state) => state.tombstones);
  assert.deepEqual([...new Set(left.map(({ approvedBy }) => approvedBy))], ["ann"]);
  await world.end();
});

test("volume claims of an ephemeral set go in its name, and those of one that keeps its objects are not asked about", async () => {
  const claim = "apiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: { name: data }\n";
  const ephemeral = "  name: brief\n  annotations: { capstan.dev/ephemeral: 'true' }\n";
  const world = await fleetOf(
    12,
    {},
    {
      "documents/brief.yaml": setDocument("brief").replace("  name: brief\n", ephemeral),
      "apps/brief/x.yaml": claim,
      "documents/one.yaml": application("a").replace(/, finalizers.*\]/, ""),
      "apps/one/one.yaml": claim,
    },
  );
  const before = Object.keys(world.holds()).length;
  world.commit({
    "documents/brief.yaml": setDocument("brief").replace("  name: brief\n", ephemeral).replace("prod", "x"),
  });
  world.commit({ "documents/one.yaml": null });
  await world.settle(120_000);
  assert.deepEqual(world.hub.guard.lists(), []);
  assert.equal(Object.keys(world.holds()).length, before - 13);
  const left = [...world.agents.values()].flatMap(({ taken }) => taken.flatMap((state) => state.tombstones));
  const approvers = (name: string) => [
    ...new Set(left.filter((one) => one.name.startsWith(name)).map(({ approvedBy }) => approvedBy)),
  ];
  assert.deepEqual(approvers("brief"), ["ephemeral set argocd/brief"]);
  assert.deepEqual(approvers("one"), [""]);
  await world.end();
});

test("what no one had to approve leaves without a name", async () => {
  const files = { "documents/one.yaml": application("a"), "apps/one/one.yaml": manifest("one", "one") };
  const world = await fleetOf(6, {}, files);
  world.commit({ "documents/one.yaml": null });
  await world.settle(60_000);
  assert.equal("argocd/one" in world.agent("a").holds(), false);
  const left = world.agent("a").taken.flatMap((state) => state.tombstones);
  assert.deepEqual([...new Set(left.map(({ approvedBy }) => approvedBy))], [""]);
  await world.end();
});

test("a set that cannot be worked out removes nothing, and its neighbours go on", async () => {
  const world = await fleetOf(
    3,
    {},
    {
      "documents/api.yaml": setDocument("api"),
      "apps/api/api.yaml": manifest("api", "one"),
    },
  );
  const before = world.holds();
  assert.equal(Object.keys(before).length, 6);
  for (const bad of [
    setDocument("web", { spec: "  strategy: { type: Nonsense }\n" }),
    setDocument("web", { path: "nowhere" }),
    setDocument("web", { names: "web-{{nonsense}}" }),
    setDocument("web").replace("- clusters:", "- nonsense:"),
    setDocument("web").replace("generators:", "generators: {"),
    setDocument("web").replace(fleetRepository, "https://git.example.com/other.git"),
  ]) {
    world.commit({ "documents/web.yaml": bad, "apps/api/api.yaml": manifest("api", bad.length.toString()) });
    await world.settle(90_000);
    const now = world.holds();
    for (const place of Object.keys(before).filter((each) => each.includes("web")))
      assert.equal(now[place], before[place]);
    assert.equal(
      new Set(
        Object.entries(now)
          .filter(([place]) => place.includes("api"))
          .map(([, digest]) => digest),
      ).size,
      1,
    );
    assert.notEqual(now["a argocd/api-a"], before["a argocd/api-a"]);
    Object.assign(before, now);
  }
  assert.equal(tombstones(world), 0);
  assert.deepEqual(world.hub.guard.lists(), []);
  await world.end();
});

test("what is wrong with a set is said of the set", async () => {
  const world = await fleetOf(1);
  world.commit({ "documents/web.yaml": setDocument("web", { spec: "  strategy: { type: Nonsense }\n" }) });
  await world.settle(5000);
  assert.match(world.hub.releases.state("argocd/web")?.faults[0]?.message ?? "", /Nonsense/);
  await world.end();
});

test("an unreadable repository removes nothing, nor does a manifest that is broken", async () => {
  const world = await fleetOf(3);
  const before = world.holds();
  world.sources.breaks(fleetRepository);
  await world.settle(60_000);
  await world.restart();
  await world.reconnect();
  world.sources.breaks(fleetRepository, true);
  await world.settle(60_000);
  await world.restart();
  await world.reconnect();
  await world.settle(60_000);
  world.commit({ "apps/web/web.yaml": "kind: ConfigMap\n  nonsense: [" });
  await world.settle(60_000);
  world.commit({ "apps/web/web.yaml": null, "apps/web/readme.md": "nothing" });
  await world.settle(60_000);
  assert.deepEqual(world.holds(), before);
  assert.equal(tombstones(world), 0);
  await world.end();
});

test("a typo in a label that would empty a cluster is held whole, whatever the number of lanes", async () => {
  const more = Object.fromEntries(
    ["p", "q", "r", "s"].flatMap((name) => [
      [`documents/${name}.yaml`, setDocument(name)],
      [`apps/${name}/x.yaml`, manifest(name, "one")],
    ]),
  );
  const world = await fleetOf(12, {}, more);
  assert.equal(Object.keys(world.holds()).length, 60);
  world.commit({ "documents/clusters/c.yaml": clusterDocument("c", { env: "prdo" }) });
  await world.settle(120_000);
  assert.equal(Object.keys(world.holds()).length, 60);
  assert.equal(world.hub.guard.lists().flatMap(({ list }) => list).length, 5);
  await world.end();
});

test("applicationsSync create-only neither updates nor removes", async () => {
  const world = await fleetOf(3, { spec: "  syncPolicy: { applicationsSync: create-only }\n" });
  const before = world.holds();
  world.commit({
    "documents/clusters/b.yaml": clusterDocument("b", { env: "dev" }),
    "documents/clusters/z.yaml": clusterDocument("z"),
  });
  await world.settle();
  await world.join("z");
  await world.settle(60_000);
  assert.deepEqual(world.holds(), { ...before, "z argocd/web-z": before["a argocd/web-a"] });
  assert.deepEqual(world.hub.guard.lists(), []);
  await world.end();
});

test("a set that takes its manifests from another folder changes its targets; none is removed", async () => {
  const world = await fleetOf(
    4,
    {},
    { "apps/shop/web.yaml": manifest("web", "shop"), "old/web/web.yaml": manifest("web", "one") },
  );
  world.commit({ "documents/web.yaml": setDocument("web", { path: "apps/shop" }) });
  await world.settle(120_000);
  const digests = new Set(Object.values(world.holds()));
  assert.equal(Object.keys(world.holds()).length, 4);
  assert.equal(digests.size, 1);
  assert.equal(tombstones(world), 0);
  assert.deepEqual(world.hub.guard.lists(), []);
  // The same bytes from a folder of another name: only the lane is called otherwise.
  world.commit({
    "apps/market/web.yaml": manifest("web", "shop"),
    "documents/web.yaml": setDocument("web", { path: "apps/market" }),
  });
  await world.settle(120_000);
  assert.deepEqual(new Set(Object.values(world.holds())), digests);
  assert.equal(tombstones(world), 0);
  assert.equal(world.agent("a").state?.targets[0]?.lane, "market");
  assert.deepEqual(world.hub.guard.lists(), []);
  await world.end();
});

test("a set that is renamed keeps its targets", async () => {
  const world = await fleetOf(4);
  const before = world.holds();
  world.commit({ "documents/web.yaml": setDocument("shop", { names: "web-{{name}}", path: "apps/web" }) });
  await world.settle(120_000);
  assert.deepEqual(world.holds(), before);
  assert.equal(tombstones(world), 0);
  assert.deepEqual(world.hub.guard.lists(), []);
  assert.equal(world.agent("a").state?.targets[0]?.set, "argocd/shop");
  await world.end();
});

test("two sets that make one name: the first has it, the other is told, and nothing goes to and fro", async () => {
  const world = await fleetOf(
    2,
    { names: "app-{{name}}" },
    {
      "documents/web2.yaml": setDocument("web2", { names: "app-{{name}}" }),
      "apps/web2/x.yaml": manifest("web2", "two"),
    },
  );
  await world.settle(120_000);
  assert.equal(world.agent("a").taken.flatMap(({ targets }) => targets).length, 1);
  const faults = ["argocd/web", "argocd/web2"].flatMap((owner) => [
    ...(world.hub.releases.state(owner)?.targetFaults.values() ?? []),
  ]);
  assert.deepEqual(
    faults.map(({ code }) => code),
    ["name-conflict", "name-conflict"],
  );
  // Once the first lets go, the other has it.
  await world.end();
});

test("a target that moves to another cluster leaves the old one after the new one is healthy", async () => {
  const world = await fleetOf(
    6,
    {},
    {
      "documents/one.yaml": application("a"),
      "apps/one/one.yaml": manifest("one", "one"),
    },
  );
  assert.equal("argocd/one" in world.agent("a").holds(), true);
  world.agent("b").fares(() => "silent");
  world.commit({ "documents/one.yaml": application("b") });
  await world.settle(5000);
  assert.equal("argocd/one" in world.agent("a").holds(), true);
  world.agent("b").fares(() => "healthy");
  await world.settle(30_000);
  assert.equal("argocd/one" in world.agent("a").holds(), false);
  assert.equal("argocd/one" in world.agent("b").holds(), true);
  await world.end();
});

test("a revoked cluster is given nothing and its key is gone, also after a restart", async () => {
  const world = await fleetOf(3);
  const before = world.holds();
  await world.hub.revoke("b" as ClusterId, { by: "ann", reason: "stolen" }, never);
  await world.settle();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(120_000);
  await world.restart();
  await world.reconnect();
  await world.settle(120_000);
  assert.equal(await world.store.state.get("desired.b", never), undefined);
  assert.equal(world.agent("b").holds()["argocd/web-b"], before["b argocd/web-b"]);
  assert.deepEqual(world.agent("b").goodbyes.slice(-1), ["revoked"]);
  assert.notEqual(world.agent("a").holds()["argocd/web-a"], before["a argocd/web-a"]);
  await world.end();
});

test("another incarnation waits for a person", async () => {
  const world = await fleetOf(2);
  const before = world.holds();
  const agent = world.agent("b");
  agent.incarnation = "uid-other";
  agent.connect();
  await world.settle();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.settle(120_000);
  assert.equal(agent.holds()["argocd/web-b"], before["b argocd/web-b"]);
  assert.equal(world.hub.clusters.record("b" as ClusterId)?.claimed, "uid-other");
  await world.hub.clusters.admit("b" as ClusterId, "uid-other", never);
  agent.connect();
  await world.settle(120_000);
  assert.notEqual(agent.holds()["argocd/web-b"], before["b argocd/web-b"]);
  await world.end();
});

test("a store that is lost whole is rebuilt from hellos: nothing goes back, nothing jumps", async () => {
  const world = await fleetOf(3);
  const before = world.holds();
  const states = [...world.agents.values()].map(({ taken }) => taken.length);
  world.commit({
    "apps/web/web.yaml": manifest("web", "two"),
    "documents/clusters/c.yaml": clusterDocument("c", { env: "dev" }),
  });
  await world.restart(world.emptyStore("lost"));
  await world.reconnect();
  await world.settle(120_000);
  assert.deepEqual(world.holds(), before);
  assert.deepEqual(
    [...world.agents.values()].map(({ taken }) => taken.length),
    states,
  );
  assert.notEqual(world.hub.rebuilding, undefined);
  // A revocation would cut each on NATS at once: with the key that it says it uses.
  const keys = world.hub.clusters.records().map(({ enrolment }) => enrolment?.keys.natsKey.slice(0, 3));
  assert.deepEqual(keys, ["UAA", "UBA", "UCA"]);
  // Still so after another restart.
  await world.restart();
  await world.reconnect();
  await world.settle(120_000);
  assert.deepEqual(world.holds(), before);
  await world.hub.endRebuild(never);
  await world.settle(120_000);
  assert.notEqual(world.holds()["a argocd/web-a"], before["a argocd/web-a"]);
  assert.equal(world.agent("c").state?.labels["env"], "dev");
  await world.end();
});

test("a set with a limit of its own may lose more without a person, and no more than that", async () => {
  const limited = setDocument("web").replace(
    "  name: web\n",
    "  name: web\n  annotations: { capstan.dev/deletion-limit: '2' }\n",
  );
  const world = await fleetOf(5, {}, { "documents/web.yaml": limited });
  const moved = (...ids: readonly string[]) =>
    Object.fromEntries(ids.map((id) => [`documents/clusters/${id}.yaml`, clusterDocument(id, { env: "dev" })]));
  world.commit(moved("a", "b"));
  await world.settle(60_000);
  assert.deepEqual(Object.keys(world.holds()), ["c argocd/web-c", "d argocd/web-d", "e argocd/web-e"]);
  world.commit(moved("c"));
  await world.settle(60_000);
  assert.equal(Object.keys(world.holds()).length, 3);
  assert.deepEqual(
    world.hub.guard.lists().flatMap(({ rules }) => rules.map(({ rule }) => rule)),
    ["share-of-set"],
  );
  await world.end();
});

function application(cluster: string): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: Application
metadata: { name: one, finalizers: [resources-finalizer.argocd.argoproj.io] }
spec:
  project: default
  source: { repoURL: "${fleetRepository}", path: apps/one }
  destination: { name: ${cluster}, namespace: one }
  syncPolicy: { automated: { prune: true } }
`;
}
