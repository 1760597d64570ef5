import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "./history.ts";
import { checkHistory, checkTraffic, type HistoryEvent } from "./history-check.ts";
import { TempDir } from "./temp.ts";

const web = (generation: number, digest = `sha256:${generation}`) => ({ target: "argocd/web", generation, digest });
const desired = (revision: number, generation: number, extra: object = {}): HistoryEvent => ({
  kind: "desired",
  cluster: "a",
  revision,
  epoch: 1,
  targets: [{ ...web(generation), prune: true, ...extra }],
  tombstones: [],
});
const applied = (revision: number, generation: number, digest?: string): HistoryEvent => ({
  kind: "applied",
  cluster: "a",
  revision,
  targets: [web(generation, digest)],
});
const leads = (hub: string, epoch: number): HistoryEvent => ({ kind: "leads", writer: `${hub}'s`, hub, epoch });
const wrote = (hub: string, sequence: number, key = "desired.a"): HistoryEvent => ({
  kind: "wrote",
  writer: `${hub}'s`,
  key,
  sequence,
  accepted: sequence > 0,
});
const pruned = (object: string, generation: number): HistoryEvent => ({
  kind: "deleted",
  cluster: "a",
  object,
  cause: { kind: "prune", target: "argocd/web", generation },
});
/** What the bundle of a generation holds. */
const bundle = (generation: number, ...objects: string[]): HistoryEvent => ({
  kind: "bundle",
  digest: `sha256:${generation}`,
  objects,
});
const broken = (...events: HistoryEvent[]) => checkHistory(events).map((violation) => violation.invariant);

test("an honest history holds: growth, equal repeats, refused writes, explained deletions, a new leader", () => {
  const stone: HistoryEvent = {
    kind: "desired",
    cluster: "a",
    revision: 9,
    epoch: 2,
    targets: [],
    tombstones: [{ target: "argocd/web", keep: false }],
  };
  const gone = { kind: "deleted", cluster: "a", object: "v1/ConfigMap x/kept" } as const;
  assert.deepEqual(
    broken(
      wrote("hub-1", 1),
      leads("hub-1", 2),
      wrote("hub-1", 3),
      desired(1, 1),
      applied(1, 1),
      desired(5, 5),
      applied(5, 5),
      applied(5, 5),
      pruned("v1/ConfigMap x/old", 5),
      leads("hub-2", 9),
      wrote("hub-2", 10),
      wrote("hub-1", 8),
      wrote("hub-1", 0),
      stone,
      { ...gone, cause: { kind: "tombstone", target: "argocd/web" } },
      { ...gone, cause: { kind: "person" } },
    ),
    [],
  );
});

test("a revision or a generation that goes back is found, on its own cluster only", () => {
  assert.deepEqual(broken(applied(5, 5), applied(4, 5)), ["1-revision-never-back"]);
  assert.deepEqual(broken(applied(5, 5), applied(6, 4)), ["1-generation-never-back"]);
  const other: HistoryEvent = { kind: "applied", cluster: "b", revision: 1, targets: [web(1)] };
  assert.deepEqual(broken(applied(5, 5), other), []);
});

test("one revision or one generation with two contents is found, also between what was signed and what was applied", () => {
  assert.deepEqual(broken(desired(5, 5), applied(5, 5, "sha256:other")), ["1-one-content", "1-one-content"]);
  assert.deepEqual(broken(applied(5, 5), applied(6, 5, "sha256:other")), ["1-one-content"]);
});

test("a deletion that nothing signed asked for is found", () => {
  const kept = pruned("v1/ConfigMap x/kept", 1);
  for (const held of ["v1/ConfigMap x/kept", "v1/ConfigMap /kept"]) {
    assert.deepEqual(broken(desired(1, 1), kept, bundle(1, held)), ["2-deletion-explained"]);
  }
  for (const other of ["v1/ConfigMap y/kept", "v1/Secret /kept", "v1/ConfigMap /not-kept"]) {
    assert.deepEqual(broken(desired(1, 1), kept, bundle(1, other)), []);
  }
  assert.deepEqual(broken(desired(1, 1), pruned("v1/ConfigMap x/old", 2)), ["2-deletion-explained"]);
  assert.deepEqual(broken(desired(1, 1, { prune: false }), pruned("v1/ConfigMap x/old", 1)), ["2-deletion-explained"]);
  const cause = { kind: "tombstone", target: "argocd/web" } as const;
  const gone: HistoryEvent = { kind: "deleted", cluster: "a", object: "x", cause };
  assert.deepEqual(broken(desired(1, 1), gone), ["2-deletion-explained"]);
  const stone: HistoryEvent = {
    kind: "desired",
    cluster: "a",
    revision: 2,
    epoch: 1,
    targets: [],
    tombstones: [{ target: "argocd/web", keep: true }],
  };
  assert.deepEqual(broken(stone, gone), ["2-deletion-explained"]);
  assert.deepEqual(broken({ ...gone, cause: { kind: "unknown" } }), ["2-deletion-explained"]);
});

test("a stale leader's accepted write is found, whatever the key, and two leaders of one epoch", () => {
  const both = [leads("hub-1", 1), leads("hub-2", 5)];
  assert.deepEqual(broken(...both, wrote("hub-2", 6), wrote("hub-1", 7)), ["7-only-the-leader-writes"]);
  assert.deepEqual(broken(...both, wrote("hub-1", 7, "status.a")), ["7-only-the-leader-writes"]);
  assert.deepEqual(broken(...both, wrote("hub-1", 4), leads("hub-1", 9), wrote("hub-1", 10)), []);
  assert.deepEqual(broken(leads("hub-1", 1), leads("hub-2", 1)), ["7-one-leader-an-epoch"]);
});

test("a store that was set back begins anew, and is fenced as any other", () => {
  const anew = [leads("hub-1", 50), wrote("hub-1", 51), leads("hub-1", 20), wrote("hub-1", 21, "lineage")];
  assert.deepEqual(broken(...anew, wrote("hub-1", 22)), []);
  const later = [leads("hub-2", 30), wrote("hub-1", 31)];
  assert.deepEqual(broken(...anew, ...later), ["7-only-the-leader-writes"]);
});

test("a run counts only with traffic before, during and after each fault", () => {
  const commit: HistoryEvent = { kind: "commit", sha: "1" };
  const begin: HistoryEvent = { kind: "fault", name: "hub killed", phase: "begin" };
  const end: HistoryEvent = { ...begin, phase: "end" };
  assert.deepEqual(checkTraffic([commit, begin, commit, end, commit]), []);
  assert.deepEqual(checkTraffic([commit, begin, end, commit]), ["no commit during the fault hub killed"]);
  assert.deepEqual(checkTraffic([begin, commit, end]).length, 2);
  assert.deepEqual(checkTraffic([commit, begin]), ["the fault hub killed never ended"]);
  assert.deepEqual(checkTraffic([applied(1, 1)]), ["no commit in the whole record"]);
});

test("a record survives its file and fails with all that is wrong", async () => {
  await using dir = await TempDir.make("history");
  const history = new History();
  await history.fault("nothing", async () => history.record(applied(2, 2)));
  history.record(applied(1, 1));
  await history.save(dir.at("record.jsonl"));
  const again = await History.load(dir.at("record.jsonl"));
  assert.deepEqual(again.events, history.events);
  assert.throws(() => again.assertHolds(), /1-revision-never-back at event 3[\s\S]*does not count/);
});
