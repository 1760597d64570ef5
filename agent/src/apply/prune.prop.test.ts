import assert from "node:assert/strict";
import { test } from "node:test";
import { objectKey, targetKey } from "@capstan/proto";
import fc from "fast-check";
import { recentDeletions, union } from "../inventory/diff.ts";
import { emptyInventory } from "../inventory/model.ts";
import type { KubeObject, ObjectAddress } from "../inventory/object.ts";
import { type Decision, decide } from "./decide.ts";
import type { Mode } from "./model.ts";
import { ownerAnnotation, targetLabel } from "./model.ts";
import { type PruneInput, planPrune } from "./prune.ts";

const kinds = [
  { group: "", version: "v1", kind: "ConfigMap" },
  { group: "apps", version: "v1", kind: "Deployment" },
  { group: "apps", version: "v1", kind: "StatefulSet" },
  { group: "", version: "v1", kind: "PersistentVolumeClaim" },
  { group: "", version: "v1", kind: "Namespace" },
];
const address: fc.Arbitrary<ObjectAddress> = fc
  .record({ kind: fc.constantFrom(...kinds), name: fc.stringMatching(/^[a-c]{1,2}(-[a-d2-4]{5})?$/) })
  .map(({ kind, name }) => ({ ...kind, namespace: kind.kind === "Namespace" ? "" : "d", name }));

const input: fc.Arbitrary<PruneInput> = fc
  .record({
    owned: fc.array(address, { maxLength: 30 }),
    wanted: fc.array(address, { maxLength: 30 }),
    approved: fc.array(address, { maxLength: 5 }),
    generation: fc.nat(3),
    held: fc.nat(3),
    sameDigest: fc.boolean(),
    prune: fc.boolean(),
    allowEmpty: fc.boolean(),
    failures: fc.nat(1),
    deletions: fc.array(fc.record({ at: fc.nat(200_000_000), count: fc.nat(4) }), { maxLength: 3 }),
  })
  .map((one) => ({
    ...one,
    inventory: {
      ...union(emptyInventory(targetKey("argocd", "x")), one.owned),
      generation: one.held,
      digest: "old",
      deletions: one.deletions,
    },
    digest: one.sameDigest ? "old" : "new",
    desired: new Set(one.wanted.map(objectKey)),
    approved: new Set(one.approved.map(objectKey)),
    limits: { count: 5, share: 0.5, kinds: ["apps/Deployment"] },
    now: 150_000_000,
  }));

test("every owned object that is not wanted is removed, prunable or held, and no other is", () => {
  fc.assert(
    fc.property(input, (given) => {
      const plan = planPrune(given);
      const told = [...plan.remove, ...plan.prunable, ...plan.held.map((one) => one.address)].map(objectKey);
      const gone = [...given.inventory.entries.keys()].filter((key) => !given.desired.has(key));
      assert.deepEqual([...told].sort(), gone.sort());
    }),
  );
});

test("nothing is removed without pruning, a newer bundle, and a whole pass", () => {
  fc.assert(
    fc.property(input, (given) => {
      if (planPrune(given).remove.length === 0) return;
      assert.ok(given.prune);
      assert.equal(given.failures, 0);
      const { inventory, generation } = given;
      assert.ok(generation > inventory.generation || (generation === inventory.generation && given.digest === "old"));
      assert.ok(given.desired.size > 0 || given.allowEmpty);
    }),
  );
});

test("held kinds are removed only when approved one by one", () => {
  const held = ["StatefulSet", "PersistentVolumeClaim", "Namespace", "Deployment"];
  fc.assert(
    fc.property(input, (given) => {
      for (const one of planPrune(given).remove) {
        if (held.includes(one.kind)) assert.ok(given.approved.has(objectKey(one)));
      }
    }),
  );
});

test("with the guard off no kind and no number is held", () => {
  const off = { count: Number.MAX_SAFE_INTEGER, share: 1, kinds: [], off: true };
  fc.assert(
    fc.property(input, (given) => {
      const { remove, held } = planPrune({ ...given, limits: off });
      assert.ok(remove.length === 0 || held.length === 0);
    }),
  );
});

test("only what was approved or has a successor counts against no limit", () => {
  fc.assert(
    fc.property(input, (given) => {
      for (const key of planPrune(given).free) {
        assert.ok(!given.desired.has(key) && given.inventory.entries.has(key));
        assert.ok(given.approved.has(key) || /-[a-d2-4]{5}$/.test(key));
      }
    }),
  );
});

test("what no one approved stays within the limit of a day, but for what has a successor", () => {
  fc.assert(
    fc.property(input, (given) => {
      const unapproved = planPrune(given).remove.filter((one) => !given.approved.has(objectKey(one)));
      const unreplaced = unapproved.filter((one) => !/-[a-d2-4]{5}$/.test(one.name));
      const recent = recentDeletions(given.inventory, given.now).reduce((sum, one) => sum + one.count, 0);
      const base = given.inventory.entries.size + recent;
      if (unreplaced.length > 0) assert.ok(unreplaced.length + recent <= Math.max(5, base / 2));
    }),
  );
});

const target = targetKey("argocd", "x");
const other = targetKey("argocd", "other");
const marked = (owner: string) => ({
  labels: { [targetLabel]: owner.replace("/", ".") },
  annotations: { [ownerAnnotation]: owner },
});

const seen = fc.record({
  mode: fc.constantFrom<Mode>("Observe", "AdoptIfNoDiff", "Enforce"),
  owner: fc.constantFrom(undefined, target, other),
  alive: fc.boolean(),
  exists: fc.boolean(),
  differs: fc.boolean(),
  paused: fc.boolean(),
  known: fc.boolean(),
  dying: fc.boolean(),
  applied: fc.boolean(),
});

type Seen = typeof seen extends fc.Arbitrary<infer One> ? One : never;

function decided(one: Seen): Decision {
  const marks = one.owner === undefined ? { labels: {}, annotations: {} } : marked(one.owner);
  const annotations = { ...marks.annotations, ...(one.paused ? { "capstan.dev/reconcile": "disabled" } : {}) };
  const managedFields = one.applied ? [{ manager: "capstan", operation: "Apply" }] : [];
  const dying = one.dying ? { deletionTimestamp: "2026-01-01T00:00:00Z" } : {};
  const base = { apiVersion: "v1", kind: "ConfigMap" };
  const live: KubeObject = {
    ...base,
    metadata: { name: "x", resourceVersion: "7", ...marks, annotations, managedFields, ...dying },
    data: { key: one.differs ? "theirs" : "ours" },
  };
  const ours = marked(target);
  const would: KubeObject = {
    ...live,
    metadata: { ...live.metadata, labels: ours.labels, annotations: { ...annotations, ...ours.annotations } },
    data: { key: "ours" },
  };
  return decide({
    target,
    prepared: {
      key: "/ConfigMap//x",
      address: { group: "", version: "v1", kind: "ConfigMap", namespace: "", name: "x" },
      object: { ...base, metadata: { name: "x" } },
      hash: "h",
    },
    live: one.exists ? live : undefined,
    would: one.exists ? would : { ...would, metadata: { name: "x" } },
    mode: one.mode,
    ignore: [],
    known: one.known,
    owners: new Set(one.alive ? [target, other] : [target]),
  });
}

test("an observer writes nothing; nobody writes another target's, a paused or a dying object", () => {
  fc.assert(
    fc.property(seen, (one) => {
      const { kind } = decided(one);
      if (kind !== "write" && kind !== "create") return;
      assert.notEqual(one.mode, "Observe");
      if (one.exists) assert.ok(!one.paused && !one.dying && !(one.owner === other && one.alive));
    }),
  );
});

test("an object that is not ours is changed only by Enforce, and only as it was seen", () => {
  fc.assert(
    fc.property(seen, (one) => {
      const decision = decided(one);
      const ours = one.owner === target || (one.known && one.applied);
      if (decision.kind !== "write" || ours) return;
      assert.ok(decision.adopts);
      assert.equal(decision.resourceVersion, "7");
      if (one.differs) assert.equal(one.mode, "Enforce");
    }),
  );
});

test("an object of ours that is as it should be is not written", () => {
  fc.assert(
    fc.property(seen, (one) => {
      if (!one.exists || one.owner !== target || one.differs || one.dying || one.paused) return;
      assert.equal(decided(one).kind, "unchanged");
    }),
  );
});
