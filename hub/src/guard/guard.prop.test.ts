import assert from "node:assert/strict";
import { test } from "node:test";
import { type ClusterId, type Digest, targetKey } from "@capstan/proto";
import fc from "fast-check";
import { type Approval, defaultLimits, type GuardInput, type PastRemoval, type Removal } from "./model.ts";
import { approveList, countHoldings, holdRemovals } from "./removals.ts";

const numRuns = process.env["CAPSTAN_FULL"] === "1" ? 10_000 : 300;
const now = Date.UTC(2026, 0, 2);
const hash = (text: string) => `list of ${text}` as Digest;

/** A fleet of a few sets on a few clusters, some of whose targets shall go. */
const fleet = fc
  .array(fc.record({ set: fc.nat(3), cluster: fc.nat(5), goes: fc.boolean(), moves: fc.boolean() }), {
    maxLength: 60,
    size: "max",
  })
  .map((list) =>
    list.map(({ set, cluster, goes, moves }, n) => {
      const removal = {
        target: targetKey("argocd", `t${n}`),
        cluster: `c${cluster}` as ClusterId,
        set: `set-${set}`,
        moves,
      };
      return { removal, goes };
    }),
  );

function input(holdings: readonly Removal[], removals: readonly Removal[], more: Partial<GuardInput> = {}): GuardInput {
  const base = { now, history: [], limits: defaultLimits, sets: new Map(), approvals: [], hash };
  return { ...base, counts: countHoldings(holdings), removals, ...more };
}

test("every removal is either allowed or on one list, and what is allowed keeps the limits", () => {
  fc.assert(
    fc.property(fleet, (list) => {
      const holdings = list.map(({ removal }) => removal);
      const removals = list.filter(({ goes }) => goes).map(({ removal }) => removal);
      const { allowed, held } = holdRemovals(input(holdings, removals));
      const told = [...allowed, ...held.flatMap((one) => one.list)].map(({ target }) => target).sort();
      assert.deepEqual(told, removals.map(({ target }) => target).sort());
      for (const one of held) assert.ok(one.rules.length > 0 && one.list.length > 0);
      for (const set of new Set(holdings.map((one) => one.set))) {
        const size = holdings.filter((one) => one.set === set).length;
        const gone = allowed.filter((one) => one.set === set && one.moves !== true).length;
        assert.ok(gone <= Math.max(1, Math.floor(size / 10)) && (gone === 0 || gone < size));
      }
      for (const cluster of new Set(holdings.map((one) => one.cluster))) {
        const size = holdings.filter((one) => one.cluster === cluster).length;
        assert.ok(allowed.filter((one) => one.cluster === cluster).length <= Math.max(1, Math.floor(size / 10)));
      }
    }),
    { numRuns },
  );
});

test("bit by bit is no way around it: what went before counts", () => {
  fc.assert(
    fc.property(fleet, fc.integer({ min: 1, max: 5 }), (list, portion) => {
      let holdings = list.map(({ removal }) => ({ ...removal, moves: false }));
      const sizes = countHoldings(holdings);
      const history: PastRemoval[] = [];
      const wanted = list.filter(({ goes }) => goes).map(({ removal }) => ({ ...removal, moves: false }));
      for (let from = 0; from < wanted.length; from += portion) {
        const { allowed } = holdRemovals(input(holdings, wanted.slice(from, from + portion), { history }));
        holdings = holdings.filter((one) => !allowed.some(({ target }) => target === one.target));
        history.push(...allowed.map((one) => ({ ...one, at: now, approved: false })));
      }
      assert.ok(history.length <= defaultLimits.fleet);
      for (const [set, size] of sizes.sets) {
        assert.ok(history.filter((one) => one.set === set).length <= Math.max(1, Math.floor(size / 10)));
      }
    }),
    { numRuns },
  );
});

test("what deletes protected kinds never goes without a person, whatever the numbers, and goes with one", () => {
  fc.assert(
    fc.property(fleet, fc.func(fc.boolean()), (list, guards) => {
      const holdings = list.map(({ removal }) => removal);
      const removals = list.filter(({ goes }) => goes).map(({ removal }) => removal);
      const limits = { set: { count: 99, percent: 100 }, cluster: { count: 99, percent: 100 }, fleet: 99 };
      const isGuarded = (one: Removal) => guards(one.target);
      const protects = (one: Removal) => (isGuarded(one) ? "it has a PersistentVolumeClaim" : undefined);
      const shown = holdRemovals(input(holdings, removals, { limits, protects }));
      assert.ok(!shown.allowed.some(isGuarded));
      const approvals = shown.held.map(({ scope, digest }) =>
        approveList(shown, scope, digest, { by: "mira", reason: "", at: now }),
      );
      const after = holdRemovals(input(holdings, removals, { limits, protects, approvals }));
      assert.deepEqual(after.held, []);
    }),
    { numRuns },
  );
});

test("an approved list goes whole, and takes nothing else with it", () => {
  fc.assert(
    fc.property(fleet, (list) => {
      const holdings = list.map(({ removal }) => removal);
      const removals = list.filter(({ goes }) => goes).map(({ removal }) => removal);
      const shown = holdRemovals(input(holdings, removals));
      const [first] = shown.held;
      if (first === undefined) return;
      const approval: Approval = approveList(shown, first.scope, first.digest, { by: "mira", reason: "", at: now });
      const after = holdRemovals(input(holdings, removals, { approvals: [approval] }));
      const names = new Set(after.allowed.map(({ target }) => target));
      assert.ok(first.list.every(({ target }) => names.has(target)));
      const listed = new Set(first.list.map(({ target }) => target));
      const others = shown.held.filter((one) => one !== first).flatMap((one) => one.list);
      for (const one of after.held.flatMap((held) => held.list))
        assert.ok(!listed.has(one.target) && others.includes(one));
    }),
    { numRuns },
  );
});
