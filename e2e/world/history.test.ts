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
  targets: [{ ...web(generation), prune: true, objects: ["/ConfigMap/x/kept"], ...extra }],
  tombstones: [],
});
const applied = (revision: number, generation: number, digest?: string): HistoryEvent => ({
  kind: "applied",
  cluster: "a",
  revision,
  targets: [web(generation, digest)],
});
const wrote = (hub: string, epoch: number, accepted = true): HistoryEvent => ({
  kind: "wrote",
  hub,
  key: "desired.a",
  epoch,
  accepted,
});
const pruned = (object: string, generation: number): HistoryEvent => ({
  kind: "deleted",
  cluster: "a",
  object,
  cause: { kind: "prune", target: "argocd/web", generation },
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
  const gone = { kind: "deleted", cluster: "a", object: "/ConfigMap/x/kept" } as const;
  assert.deepEqual(
    broken(
      wrote("hub-1", 1),
      desired(1, 1),
      applied(1, 1),
      desired(5, 5),
      applied(5, 5),
      applied(5, 5),
      pruned("/ConfigMap/x/old", 5),
      wrote("hub-2", 2),
      wrote("hub-1", 1, false),
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
  assert.deepEqual(broken(desired(1, 1), pruned("/ConfigMap/x/kept", 1)), ["2-deletion-explained"]);
  assert.deepEqual(broken(desired(1, 1), pruned("/ConfigMap/x/old", 2)), ["2-deletion-explained"]);
  assert.deepEqual(broken(desired(1, 1, { prune: false }), pruned("/ConfigMap/x/old", 1)), ["2-deletion-explained"]);
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

test("a stale leader's accepted write is found, and two leaders of one epoch", () => {
  assert.deepEqual(broken(wrote("hub-1", 1), wrote("hub-2", 2), wrote("hub-1", 1)), ["7-epoch-never-back"]);
  assert.deepEqual(broken(wrote("hub-1", 1), wrote("hub-2", 1)), ["7-one-leader-an-epoch"]);
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
