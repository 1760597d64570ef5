import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault, parseClusterId } from "@capstan/proto";
import {
  ApplyDocumentsRequestSchema,
  DeleteDocumentRequestSchema,
  DiffTargetsRequestSchema,
  GetSetRequestSchema,
  ListDocumentsRequestSchema,
  ListHistoryRequestSchema,
  ListSetsRequestSchema,
  ListTargetsRequestSchema,
  SyncLaneRequestSchema,
  WatchTargetsRequestSchema,
} from "@capstan/proto/application";
import { WatchEventType } from "@capstan/proto/common";
import {
  GetRolloutRequestSchema,
  ListRolloutsRequestSchema,
  PauseRolloutRequestSchema,
  RollBackRequestSchema,
  WatchRolloutsRequestSchema,
} from "@capstan/proto/rollout";
import { laneKey } from "../rollout/model.ts";
import { clusterDocument, fleetOf, manifest, setDocument, type World } from "../testing/world.ts";
import { authoriser } from "./authorise.ts";
import { Calls } from "./call.ts";
import { documentCalls } from "./document-calls.ts";
import { explain } from "./explain.ts";
import { labelEffects } from "./label-effects.ts";
import { laneCalls } from "./lane-calls.ts";
import { looksOf, rolloutLines } from "./looks.ts";
import { manifestCalls } from "./manifest-calls.ts";
import { worldOf } from "./people.ts";
import { rolloutCalls } from "./rollout-service.ts";
import { Seen, Sight } from "./seen.ts";
import type { CallContext } from "./service.ts";
import { targetCalls } from "./target-calls.ts";
import { targetView } from "./target-views.ts";

/** The services over a hub in memory, as an admin calls them. */
function services(world: World) {
  const audited: string[] = [];
  const calls = new Calls({
    authorise: authoriser(() => {
      return { kind: "person", id: "1", name: "ann", roles: ["admin"], hash: "", madeAt: 0, expiresAt: undefined };
    }),
    audited: (call, work, signal) => {
      audited.push(call.action);
      return work(signal);
    },
    assertLeading: () => undefined,
  });
  let ids = 0;
  const bundles = { read: world.hub.ports.vault.read };
  const seen = worldOf(world.hub, { clock: world.clock, bundles, newId: () => `id-${++ids}` });
  const people = { calls, world: seen, sight: new Sight(seen) };
  const stop = new AbortController();
  const context: CallContext = { certificate: undefined, token: "t", address: "", method: "/x/Y", signal: stop.signal };
  return {
    audited,
    stop,
    context,
    ...documentCalls(people),
    ...laneCalls(people),
    ...manifestCalls(people),
    ...targetCalls(people),
    ...rolloutCalls(people),
    see: () => new Seen(seen),
    why: (subject: string, cluster = "") => explain(subject, cluster, new Seen(seen)),
  };
}

/** Promise 8: whatever is not as Git asks says why. */
function assertToldWhy(world: World): void {
  const seen = services(world).see();
  for (const row of seen.rows) {
    const status = seen.world.status.of(row.cluster).targets.get(row.key);
    const behind =
      row.wanted?.content !== row.held || (status?.report.generation ?? 0n) < (row.desired?.generation ?? 0n);
    if (!behind && row.fault === undefined) continue;
    const { reason } = targetView(row, seen);
    assert.ok(reason !== undefined && reason.message !== "", `${row.key} on ${row.cluster} waits and says nothing`);
    const told = explain(row.key, row.cluster, seen);
    assert.ok(told.reasons.length > 0, `why ${row.key} says nothing`);
  }
}

async function settleTold(world: World, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 700) {
    await world.settle(700);
    assertToldWhy(world);
  }
}

test("a canary that fails: the screen, why, and what would go on", async () => {
  const world = await fleetOf(
    5,
    {},
    { "documents/api.yaml": setDocument("api"), "apps/api/x.yaml": manifest("api", "one") },
  );
  const good = world.holds()["a argocd/web-a"];
  world.agent("a").fares((target, digest) => (digest === good || !target.includes("web") ? "healthy" : "degraded"));
  world.commit({ "apps/web/web.yaml": manifest("web", "two") }, "raise cart limit");
  await settleTold(world, 120_000);
  const { why, see, getRollout, rollBack, context } = services(world);
  const told = why("web");
  assert.match(
    told.headline,
    /^web:web [0-9a-f]{7} "raise cart limit" is paused: canary a failed \(allowed: 0 failures\)/,
  );
  assert.ok(told.reasons[0]?.details.some((line) => line.startsWith("4 clusters were not touched")));
  assert.deepEqual(
    told.advice.map(({ command }) => command),
    ["capstan rollout rollback web:web", "capstan rollout retry web:web", "push a fix"],
  );
  const [line] = rolloutLines(see());
  assert.deepEqual(
    [line?.lane, line?.state, line?.stageName, line?.done, line?.clusters],
    ["web:web", "Paused", "canary", 0, 1],
  );
  assert.deepEqual(
    looksOf(see()).map(({ kind, name, cluster }) => [kind, name, cluster]),
    [["degraded", "web", "a"]],
  );
  const { rollout } = await getRollout(create(GetRolloutRequestSchema, { id: "web" }), context);
  assert.equal(rollout?.state, "Paused");
  assert.equal(rollout?.release?.subject, "raise cart limit");
  assert.equal(rollout?.previous?.subject, "change");
  assert.match(why("e").headline, /^e is connected; 2 targets/);
  const back = { lane: "web", change: { dryRun: true } };
  const { rollout: planned } = await rollBack(create(RollBackRequestSchema, back), context);
  assert.deepEqual(
    planned?.stages?.flatMap(({ clusters }) => clusters?.map(({ cluster }) => cluster)),
    ["a"],
  );
  assert.equal(world.hub.rollouts.lane(laneKey("argocd/web", "web"))?.pin, undefined);
  await world.end();
});

test("an offline cluster, a paused run, a new set with a wrong path: each says why, at every moment", async () => {
  const world = await fleetOf(4);
  world.agent("d").disconnect();
  world.commit({ "apps/web/web.yaml": manifest("web", "two"), "documents/bad.yaml": setDocument("bad") });
  await settleTold(world, 3500);
  const { why, see, pauseRollout, context, audited } = services(world);
  await pauseRollout(create(PauseRolloutRequestSchema, { id: "web", change: { reason: "lunch" } }), context);
  await settleTold(world, 1400);
  assert.match(why("web:web").headline, /is paused: lunch/);
  assert.deepEqual(audited, ["rollout.pause"]);
  assert.match(why("d").reasons[0]?.message ?? "", /d is not connected/);
  assert.equal(why("bad").reasons[0]?.rule, "path-not-found");
  const kinds = new Set(looksOf(see()).map(({ kind }) => kind));
  assert.deepEqual([...kinds], ["refused", "offline"]);
  assert.throws(
    () => why("nothing"),
    (thrown) => thrown instanceof Fault && thrown.code === "not-found",
  );
  await world.end();
});

test("a lane without automated sync goes out when a person syncs it; what is there is applied again", async () => {
  const world = await fleetOf(3, { automated: false });
  assert.deepEqual(world.holds(), {});
  assertToldWhy(world);
  const { syncLane, listHistory, why, context, audited } = services(world);
  assert.equal(why("web").reasons[0]?.rule, "manual-sync");
  const shown = await syncLane(create(SyncLaneRequestSchema, { lane: "web", change: { dryRun: true } }), context);
  assert.equal(shown.targets?.length, 3);
  const [synced] = await Promise.all([
    syncLane(create(SyncLaneRequestSchema, { lane: "web" }), context),
    world.settle(30_000),
  ]);
  assert.match(synced.rollout ?? "", /^argocd-web-web-/);
  assert.equal(Object.keys(world.holds()).length, 3);

  const before = world.hub.distribution.target(parseClusterId("a"), "argocd/web-a" as never)?.generation ?? 0n;
  const again = await syncLane(create(SyncLaneRequestSchema, { lane: "web", clusters: ["a"] }), context);
  assert.deepEqual(again.targets, ["argocd/web-a on a"]);
  await world.settle(5000);
  const after = world.hub.distribution.target(parseClusterId("a"), "argocd/web-a" as never);
  assert.ok((after?.generation ?? 0n) > before);
  assert.equal(after?.operation?.actor, "ann");
  assert.deepEqual(audited, ["lane.sync", "lane.sync"]);
  const { entries } = await listHistory(create(ListHistoryRequestSchema, { subject: "web", cluster: "a" }), context);
  assert.deepEqual(
    entries?.map(({ actor, outcome, release }) => [actor, outcome, release?.subject]),
    [["ann", "Healthy", "change"]],
  );
  await world.end();
});

test("a dry run tells that two documents of one file would make one name", async () => {
  const world = await fleetOf(1);
  const { applyDocuments, context } = services(world);
  const wish = { path: "apps/web", names: "twin" };
  const content = [setDocument("one", wish), setDocument("two", wish)].join("---\n");
  const files = [{ name: "twins.yaml", content }];
  const request = create(ApplyDocumentsRequestSchema, { files, change: { dryRun: true } });
  const { results } = await applyDocuments(request, context);
  assert.deepEqual(
    results?.map(({ name, faults }) => [name, faults?.map(({ code }) => code)]),
    [
      ["one", []],
      ["two", ["name-conflict"]],
    ],
  );
  assert.match(results?.[1]?.faults?.[0]?.message ?? "", /twin is taken by .*one/);
  await world.end();
});

test("a set that vanishes from Git is held, and says so; one that a person deletes by name goes", async () => {
  const world = await fleetOf(3);
  const { applyDocuments, deleteDocument, why, see, context, audited } = services(world);
  const files = [{ name: "mine.yaml", content: setDocument("mine", { path: "apps/web" }) }];
  const { results } = await applyDocuments(create(ApplyDocumentsRequestSchema, { files }), context);
  assert.deepEqual(
    results?.map(({ outcome, newTargets, summary }) => [outcome, newTargets, summary]),
    [["created", 3, "clusters (3 matched)"]],
  );
  await world.settle(30_000);
  assert.equal(Object.keys(world.holds()).length, 6);
  const asked = { kind: "ApplicationSet", name: "mine" };
  const dry = await deleteDocument(
    create(DeleteDocumentRequestSchema, { ...asked, change: { dryRun: true } }),
    context,
  );
  assert.equal(dry.effect, "the objects of 3 targets are deleted");
  await deleteDocument(create(DeleteDocumentRequestSchema, asked), context);
  await settleTold(world, 10_000);
  assert.equal(Object.keys(world.holds()).length, 3);
  assert.deepEqual(audited, ["document.apply", "document.delete"]);
  await assert.rejects(
    deleteDocument(create(DeleteDocumentRequestSchema, { kind: "appset", name: "web" }), context),
    /is managed by root fleet/,
  );

  world.commit({ "documents/web.yaml": null });
  await settleTold(world, 10_000);
  assert.equal(Object.keys(world.holds()).length, 3);
  const held = why("web").reasons.find(({ rule }) => rule === "held-delete-guard");
  assert.match(held?.unblock[0] ?? "", /capstan deletion approve sha256:[0-9a-f]{64} --reason/);
  assert.ok(looksOf(see()).some(({ kind }) => kind === "held"));
  await world.end();
});

test("two sets that make one name: told when the second is applied, in its conditions and in why", async () => {
  const world = await fleetOf(2);
  const { applyDocuments, getSet, why, context } = services(world);
  const files = [{ name: "twin.yaml", content: setDocument("twin", { path: "apps/web", names: "web-{{name}}" }) }];
  for (const dryRun of [true, false]) {
    const { results } = await applyDocuments(
      create(ApplyDocumentsRequestSchema, { files, change: { dryRun } }),
      context,
    );
    assert.deepEqual(
      results?.map(({ newTargets, faults }) => [newTargets, faults?.map(({ code }) => code)]),
      [[0, ["name-conflict", "name-conflict"]]],
    );
  }
  await settleTold(world, 3000);
  const { set } = await getSet(create(GetSetRequestSchema, { name: "twin" }), context);
  assert.match(
    set?.conditions?.find(({ type }) => type === "ResourcesUpToDate")?.message ?? "",
    /taken by argocd\/web/,
  );
  assert.equal(why("twin").reasons[0]?.rule, "name-conflict");
  await world.end();
});

test("a watch begins with everything, then tells what changed", async () => {
  const world = await fleetOf(2);
  const { watchTargets, context, stop } = services(world);
  const told: string[] = [];
  const names = new Map<number, string>(Object.entries(WatchEventType).map(([name, value]) => [value, name]));
  const watching = (async () => {
    for await (const { type, target } of watchTargets(create(WatchTargetsRequestSchema), context)) {
      told.push(`${names.get(type ?? 0) ?? ""} ${target?.name ?? ""}`.trim());
    }
  })();
  await world.settle(500);
  assert.deepEqual(told, ["RESET", "CHANGED web-a", "CHANGED web-b", "BOOKMARK"]);
  world.agent("b").fares(() => "degraded");
  world.commit({ "documents/clusters/c.yaml": clusterDocument("c") });
  await world.settle(2000);
  assert.ok(told.includes("CHANGED web-c"), told.join(", "));
  stop.abort();
  await world.settle(500);
  await watching;
  await world.end();
});

test("other labels of a cluster: what would come and go is told beforehand", async () => {
  const world = await fleetOf(2);
  const { see, context } = services(world);
  const effects = (labels: Record<string, string>) => labelEffects(parseClusterId("a"), labels, see(), context.signal);
  assert.deepEqual(await effects({ env: "dev" }), ["argocd/web-a on a is removed"]);
  assert.deepEqual(await effects({ region: "eu" }), []);
  assert.equal(Object.keys(world.holds()).length, 2);
  await world.end();
});

test("a label that Kubernetes would refuse is refused, and nothing of the change is kept", async () => {
  const world = await fleetOf(2);
  const { clusters } = world.hub;
  const id = parseClusterId("new");
  const { signal } = new AbortController();
  const refused = (edit: Parameters<typeof clusters.edit>[1]) =>
    assert.rejects(clusters.edit(id, edit, signal), (thrown) => thrown instanceof Fault && thrown.code === "bad-input");
  await refused({ labels: { env: "prod", "b@d": "1" } });
  await refused({ labels: { env: "ä ö" } });
  await refused({ annotations: { "x y": "1" } });
  assert.equal(clusters.get(id), undefined);
  await clusters.edit(id, { labels: { "example.org/env": "prod" }, annotations: { note: "ä ö" } }, signal);
  assert.deepEqual(clusters.get(id)?.labels, { "example.org/env": "prod" });
  await world.end();
});

test("a cluster that nothing knows is not found, wherever lists, watches and differences are narrowed to it", async () => {
  const world = await fleetOf(2);
  const {
    listTargets,
    listSets,
    listRollouts,
    listDocuments,
    watchTargets,
    watchRollouts,
    diffTargets,
    context,
    stop,
  } = services(world);
  const options = { clusters: ["a", "nope"] };
  const first = async (events: AsyncIterable<unknown>) => events[Symbol.asyncIterator]().next();
  const looks = [
    () => listTargets(create(ListTargetsRequestSchema, { options }), context),
    () => listSets(create(ListSetsRequestSchema, { options }), context),
    () => listDocuments(create(ListDocumentsRequestSchema, { options }), context),
    () => listRollouts(create(ListRolloutsRequestSchema, { options }), context),
    () => diffTargets(create(DiffTargetsRequestSchema, options), context),
    () => first(watchTargets(create(WatchTargetsRequestSchema, { options }), context)),
    () => first(watchRollouts(create(WatchRolloutsRequestSchema, { options }), context)),
  ];
  for (const look of looks) {
    await assert.rejects(
      async () => look(),
      (thrown) =>
        thrown instanceof Fault && thrown.code === "not-found" && thrown.message === "no cluster is called nope.",
    );
  }
  const { targets } = await listTargets(create(ListTargetsRequestSchema, { options: { clusters: ["b"] } }), context);
  assert.deepEqual(
    targets?.map(({ name }) => name),
    ["web-b"],
  );
  const again = create(WatchTargetsRequestSchema, { options: { ...options, token: "old" } });
  assert.equal((await first(watchTargets(again, context))).done, false);
  stop.abort();
  await world.end();
});

test("after the store was lost, whatever Git asks beyond what clusters hold says that a person is waited for", async () => {
  const world = await fleetOf(2);
  for (const agent of world.agents.values()) agent.disconnect();
  world.commit({ "apps/web/web.yaml": manifest("web", "two") });
  await world.restart(world.emptyStore("lost"));
  await world.reconnect();
  await settleTold(world, 5000);
  const { why, syncLane, context } = services(world);
  assert.equal(why("web").reasons[0]?.rule, "rebuild");
  assert.deepEqual(why("web").advice[0]?.command, "capstan hub rebuild end");
  await assert.rejects(
    syncLane(create(SyncLaneRequestSchema, { lane: "web" }), context),
    (thrown) => thrown instanceof Fault && thrown.code === "held",
  );
  await world.end();
});
