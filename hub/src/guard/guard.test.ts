import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { type ClusterId, type Digest, Fault, parseClusterId, targetKey } from "@capstan/proto";
import { type Approval, defaultLimits, defaultObjectLimit, type GuardInput, type Removal } from "./model.ts";
import { holdPrunes } from "./objects.ts";
import { approveList, countHoldings, forget, holdRemovals } from "./removals.ts";

const hour = 3_600_000;
const now = Date.UTC(2026, 0, 2);
const hash = (text: string) => `sha256:${createHash("sha256").update(text).digest("hex")}` as Digest;

/** Target `n` of a set, on cluster `n` unless said otherwise. */
function target(set: string | null, n: number, cluster = `c${n}`): Removal {
  return { target: targetKey("argocd", `${set ?? "app"}-${n}`), cluster: parseClusterId(cluster), set };
}

/** `of` targets in a set on as many clusters, each of which holds 100 others, too. */
function input(
  set: string | null,
  of: number,
  removing: readonly number[],
  more: Partial<GuardInput> = {},
): GuardInput {
  const all = Array.from({ length: of }, (_, n) => target(set, n));
  const counts = countHoldings(all);
  const clusters = new Map([...counts.clusters].map(([id, count]): [ClusterId, number] => [id, count + 100]));
  const removals = removing.map((n) => target(set, n));
  const base = { now, removals, history: [], limits: defaultLimits, sets: new Map(), approvals: [], hash };
  return { ...base, counts: { ...counts, clusters }, ...more };
}

const rules = (result: ReturnType<typeof holdRemovals>) =>
  result.held.flatMap((one) => one.rules.map(({ rule }) => rule));

test("one of three targets may go, the last may not", () => {
  assert.deepEqual(rules(holdRemovals(input("web", 3, [0]))), []);
  assert.deepEqual(rules(holdRemovals(input("web", 1, [0]))), ["last-of-set"]);
});

test("more than a tenth of a set is held whole", () => {
  assert.equal(holdRemovals(input("web", 30, [0, 1, 2])).allowed.length, 3);
  const result = holdRemovals(input("web", 30, [0, 1, 2, 3]));
  assert.equal(result.allowed.length, 0);
  assert.deepEqual(rules(result), ["share-of-set"]);
  assert.equal(result.held[0]?.rules[0]?.text, "4 targets of web would be removed; at most 3 may go without a person");
});

test("removals of the last 24 hours count, older ones do not", () => {
  const history = (ago: number) => [0, 1].map((n) => ({ ...target("web", 50 + n), at: now - ago, approved: false }));
  assert.deepEqual(rules(holdRemovals(input("web", 28, [0, 1], { history: history(23 * hour) }))), ["share-of-set"]);
  assert.deepEqual(rules(holdRemovals(input("web", 28, [0, 1], { history: history(25 * hour) }))), []);
  const approved = history(hour).map((one) => ({ ...one, approved: true }));
  assert.deepEqual(rules(holdRemovals(input("web", 28, [0, 1], { history: approved }))), []);
});

test("a cluster that would be emptied is held, moved targets counted", () => {
  const removals = [0, 1, 2].map((n) => ({ ...target(`set-${n}`, n, "edge"), moves: true }));
  const counts = countHoldings([...removals, ...[3, 4, 5, 6].map((n) => target(`set-${n % 3}`, n, "edge"))]);
  const result = holdRemovals({ ...input(null, 0, []), removals, counts });
  assert.deepEqual(rules(result), ["share-of-cluster", "share-of-cluster", "share-of-cluster"]);
});

test("more than 20 of the fleet's targets are held", () => {
  const nothing = input(
    "web",
    1000,
    Array.from({ length: 20 }, (_, n) => n),
  );
  assert.deepEqual(rules(holdRemovals(nothing)), []);
  assert.deepEqual(
    rules(
      holdRemovals(
        input(
          "web",
          1000,
          Array.from({ length: 21 }, (_, n) => n),
        ),
      ),
    ),
    ["fleet-limit"],
  );
});

test("an ephemeral set is free, and a set may have a limit of its own", () => {
  const all = [0, 1, 2, 3, 4];
  assert.equal(holdRemovals(input("pr", 5, all, { sets: new Map([["pr", { ephemeral: true }]]) })).allowed.length, 5);
  const wide = new Map([["web", { limit: { count: 4, percent: 0 } }]]);
  assert.equal(holdRemovals(input("web", 6, [0, 1, 2, 3], { sets: wide })).allowed.length, 4);
});

test("a standalone application has no set's rules", () => {
  assert.equal(holdRemovals(input(null, 1, [0])).allowed.length, 1);
});

test("an approval binds exactly its list, and each removal once", () => {
  const asked = input("web", 10, [0, 1, 2]);
  const shown = holdRemovals(asked);
  const list = shown.held[0];
  assert.ok(list);
  const intent = { by: "mira", reason: "site closed", at: now };
  const approval: Approval = approveList(shown, "web", list.digest, intent);
  const after = { approvals: [approval], now: now + hour };
  assert.equal(holdRemovals({ ...asked, ...after }).allowed.length, 3);
  assert.equal(holdRemovals({ ...input("web", 8, [2]), ...after }).allowed.length, 1);
  const more = holdRemovals({ ...input("web", 10, [0, 1, 2, 3, 4]), ...after });
  assert.deepEqual([more.allowed.length, more.held[0]?.list.length], [3, 2]);
  const used = [{ ...target("web", 0), at: now + 1, approved: true }];
  assert.equal(holdRemovals({ ...input("web", 10, [0, 3], { history: used }), ...after }).allowed.length, 0);
});

test("what an approval allowed stays used when the removal is forgotten", () => {
  const shown = holdRemovals(input("web", 10, [0, 1]));
  const digest = shown.held[0]?.digest ?? hash("");
  const approval = approveList(shown, "web", digest, { by: "mira", reason: "", at: now });
  const history = [{ ...target("web", 0), at: now + hour, approved: true }];
  const kept = forget({ history, approvals: [approval] }, now + 2 * hour);
  assert.deepEqual(
    kept.approvals.map(({ list }) => list.map((one) => one.target)),
    [["argocd/web-1"]],
  );
  assert.deepEqual(forget(kept, now + 26 * hour).history, []);
  assert.deepEqual(forget(kept, now + 15 * 24 * hour).approvals, []);
});

test("an approval of a list that has changed is refused", () => {
  const shown = holdRemovals(input("web", 10, [0, 1]));
  const now3 = holdRemovals(input("web", 10, [0, 1, 2]));
  const intent = { by: "mira", reason: "", at: now };
  const digest = shown.held[0]?.digest ?? hash("");
  assert.throws(
    () => approveList(now3, "web", digest, intent),
    (fault) => fault instanceof Fault && fault.code === "conflict",
  );
  assert.throws(
    () => approveList(now3, "api", digest, intent),
    (fault) => fault instanceof Fault && fault.code === "not-found",
  );
});

const map = (name: string) => ({ group: "", kind: "ConfigMap", namespace: "web", name });
const maps = (from: number, to: number) => Array.from({ length: to - from }, (_, n) => map(`m${from + n}`));
const objects = { limit: defaultObjectLimit, protectedKinds: [], approved: new Set<string>() };

test("up to five objects, or half of them, may be pruned", () => {
  assert.equal(holdPrunes({ ...objects, owned: maps(0, 8), bundle: maps(5, 8) }).held.length, 0);
  const six = holdPrunes({ ...objects, owned: maps(0, 8), bundle: maps(6, 8) });
  assert.deepEqual([six.allowed.length, six.held[0]?.rule, six.held[0]?.list.length], [0, "share-of-objects", 6]);
  assert.equal(holdPrunes({ ...objects, owned: maps(0, 20), bundle: maps(10, 20) }).held.length, 0);
});

test("hash-suffixed names are replacements, not losses", () => {
  const result = holdPrunes({ ...objects, owned: maps(0, 8), bundle: maps(8, 16) });
  assert.deepEqual([result.allowed.length, result.held.length], [8, 0]);
});

test("protected kinds wait for a person each", () => {
  const claim = { group: "", kind: "PersistentVolumeClaim", namespace: "web", name: "data" };
  const service = { group: "", kind: "Service", namespace: "web", name: "lb", loadBalancer: true };
  const plain = { group: "", kind: "Service", namespace: "web", name: "plain" };
  const result = holdPrunes({ ...objects, owned: [claim, service, plain, map("a")], bundle: [] });
  assert.deepEqual(
    result.held.map((one) => one.list.map(({ name }) => name)),
    [["data", "lb"]],
  );
  assert.deepEqual(
    result.allowed.map(({ name }) => name),
    ["plain", "a"],
  );
  const approved = new Set(["/PersistentVolumeClaim/web/data"]);
  assert.deepEqual(
    holdPrunes({ ...objects, approved, owned: [claim], bundle: [] }).allowed.map(({ name }) => name),
    ["data"],
  );
  const own = { ...objects, protectedKinds: ["/ConfigMap"] };
  assert.equal(holdPrunes({ ...own, owned: [map("a")], bundle: [] }).held[0]?.rule, "protected-kind");
});
