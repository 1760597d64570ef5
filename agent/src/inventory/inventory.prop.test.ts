import assert from "node:assert/strict";
import { test } from "node:test";
import { objectKey, targetKey } from "@capstan/proto";
import fc from "fast-check";
import { decodeInventory, encodeInventory } from "./codec.ts";
import { recentDeletions, settle, stale, union } from "./diff.ts";
import { emptyInventory, type Inventory } from "./model.ts";
import type { ObjectAddress } from "./object.ts";

const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.:-]{0,10}[a-z0-9])?$/);
const address: fc.Arbitrary<ObjectAddress> = fc.record({
  group: fc.constantFrom("", "apps", "example.com"),
  version: fc.constantFrom("v1", "v1beta1"),
  kind: fc.constantFrom("ConfigMap", "Thing"),
  namespace: fc.constantFrom("", "a", "b"),
  name,
});
const addresses = fc.array(address, { maxLength: 20 });
const empty = emptyInventory(targetKey("argocd", "x"));

function inventoryOf(list: readonly ObjectAddress[]): Inventory {
  return union(empty, list);
}

test("what is written is what is read", () => {
  fc.assert(
    fc.property(
      addresses,
      fc.nat(),
      fc.boolean(),
      fc.array(fc.record({ at: fc.nat(), count: fc.nat() }, { noNullPrototype: true })),
      (list, generation, applied, deletions) => {
        const inventory = { ...inventoryOf(list), generation, applied, digest: "sha256:x", deletions };
        assert.deepEqual(decodeInventory(encodeInventory(inventory)), inventory);
      },
    ),
  );
});

test("a union loses nothing, holds all that is intended, and is the same where it adds nothing", () => {
  fc.assert(
    fc.property(addresses, addresses, (owned, intended) => {
      const before = inventoryOf(owned);
      const after = union(before, intended);
      for (const key of before.entries.keys()) assert.ok(after.entries.has(key));
      for (const one of intended) assert.ok(after.entries.has(objectKey(one)));
      assert.equal(union(after, after.entries.values()), after);
    }),
  );
});

test("a settlement drops exactly what was dropped", () => {
  fc.assert(
    fc.property(addresses, addresses, (owned, ended) => {
      const before = inventoryOf(owned);
      const dropped = new Set(ended.map(objectKey));
      const end = { dropped, desired: undefined, deleted: 0, now: 0, generation: 1, digest: "d", applied: true };
      const after = settle(before, end);
      for (const key of before.entries.keys()) assert.equal(after.entries.has(key), !dropped.has(key));
      assert.ok(after.entries.size <= before.entries.size);
    }),
  );
});

test("stale is what is owned and not desired, and nothing else", () => {
  fc.assert(
    fc.property(addresses, addresses, (owned, wanted) => {
      const desired = new Set(wanted.map(objectKey));
      const keys = stale(inventoryOf(owned), desired).map(objectKey);
      assert.deepEqual(
        keys,
        [...inventoryOf(owned).entries.keys()].filter((key) => !desired.has(key)),
      );
    }),
  );
});

test("generations only grow; another bundle at the same one does not count as its own", () => {
  const end = {
    dropped: new Set<string>(),
    desired: undefined,
    deleted: 0,
    now: 0,
    generation: 5,
    digest: "five",
    applied: true,
  };
  const five = settle(empty, end);
  assert.deepEqual([five.generation, five.digest, five.applied], [5, "five", true]);
  const rollback = settle(five, { ...end, digest: "four", applied: false });
  assert.equal(rollback, five);
  const six = settle(five, { ...end, generation: 6, digest: "six", applied: false });
  assert.deepEqual([six.generation, six.digest, six.applied], [6, "six", false]);
});

test("what a bundle no longer names is left, until it is named again or dropped", () => {
  const address = (name: string) => ({ group: "", version: "v1", kind: "ConfigMap", namespace: "a", name });
  const keys = (...names: string[]) => new Set(names.map((name) => objectKey(address(name))));
  const end = { deleted: 0, now: 0, generation: 1, digest: "d", applied: true, dropped: new Set<string>() };
  const one = settle(inventoryOf([address("x"), address("y")]), { ...end, desired: keys("x") });
  assert.deepEqual(one.left, keys("y"));
  assert.deepEqual(settle(one, { ...end, desired: keys("x", "y") }).left, keys());
  assert.deepEqual(settle(one, { ...end, desired: undefined, dropped: keys("y") }).left, keys());
  assert.deepEqual(decodeInventory(encodeInventory(one)), one);
});

test("deletions are remembered for a day", () => {
  const end = {
    dropped: new Set<string>(),
    desired: undefined,
    deleted: 3,
    now: 1000,
    generation: 1,
    digest: "d",
    applied: true,
  };
  const after = settle(empty, end);
  assert.deepEqual(recentDeletions(after, 1000 + 86_399_999), [{ at: 1000, count: 3 }]);
  assert.deepEqual(recentDeletions(after, 1000 + 86_400_000), []);
});

test("an inventory that cannot be read never looks empty", () => {
  for (const text of [
    "",
    "{}",
    "null",
    '{"v":2}',
    encodeInventory(empty).replace('"objects":[]', '"objects":["v1 x"]'),
  ]) {
    assert.throws(() => decodeInventory(text), { code: "internal" });
  }
});
