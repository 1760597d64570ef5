import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Fault, type TargetKey } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import { bundleCrypto } from "../platform/crypto/bundles.ts";
import { until } from "../testing/until.ts";
import { MemorySecrets } from "./memory.ts";
import { ClusterCache } from "./reconciler.ts";
import { memoriesOf } from "./shelf.ts";

const signal = new AbortController().signal;
let boots = 0;

async function open(store: MemorySecrets): Promise<ClusterCache> {
  const cache = new ClusterCache({ ...bundleCrypto, store, bootId: `b${++boots}` });
  await cache.load(signal);
  return cache;
}

const bytes = (text: string) => new TextEncoder().encode(text);
const text = async (cache: ClusterCache, name: string) => {
  const found = await cache.get(name, signal);
  return found === undefined ? undefined : new TextDecoder().decode(found);
};

describe("the cache in the cluster", () => {
  it("gives back after a restart what was committed, large entries too", async () => {
    const store = new MemorySecrets();
    const large = randomBytes(2_000_000);
    const first = await open(store);
    await first.commit(
      {
        highWater: 7n,
        put: new Map([
          ["desired", bytes("state 7")],
          ["big", large],
        ]),
      },
      signal,
    );
    const second = await open(store);
    assert.equal(second.head.highWater, 7n);
    assert.equal(await text(second, "desired"), "state 7");
    assert.equal(Buffer.compare((await second.get("big", signal)) ?? new Uint8Array(), large), 0);
    for (const name of store.names) {
      const data = Object.values((await store.get(name))?.data ?? {});
      assert.ok(
        data.every((one) => one.length <= 768 * 1024),
        name,
      );
    }
  });

  it("never lowers its high-water revision", async () => {
    const cache = await open(new MemorySecrets());
    await cache.commit({ highWater: 9n }, signal);
    await cache.commit({ highWater: 4n }, signal);
    assert.equal(cache.head.highWater, 9n);
  });

  it("holds the old or the new, and nothing between, wherever it is cut off", async () => {
    for (let cut = 0; cut < 12; cut++) {
      const store = new MemorySecrets();
      const before = await open(store);
      const old = new Map([
        ["desired", bytes("old")],
        ["x", bytes("x".repeat(900_000))],
      ]);
      await before.commit({ highWater: 1n, put: old }, signal);
      let left = cut;
      store.intercept = () => {
        if (left-- <= 0) throw new Error("killed");
      };
      const put = new Map([
        ["desired", bytes("new")],
        ["y", bytes("y".repeat(900_000))],
      ]);
      const whole = await before.commit({ highWater: 2n, put, keep: new Set() }, signal).then(
        () => true,
        () => false,
      );
      store.intercept = undefined;
      const after = await open(store);
      const isNew = after.head.highWater === 2n;
      assert.equal(await text(after, "desired"), isNew ? "new" : "old");
      assert.equal((await after.get("y", signal)) !== undefined, isNew);
      assert.equal((await after.get("x", signal)) !== undefined, !isNew);
      assert.ok(isNew || !whole);
      const pieces = store.names.filter((name) => name !== "capstan-cache-head");
      assert.deepEqual(
        new Set(pieces),
        new Set(after.head.pieces.keys()),
        "what a crash leaves is removed at the next start",
      );
    }
  });

  it("joins changes that come at once into few writes, in their order", async () => {
    const store = new MemorySecrets();
    const cache = await open(store);
    const clock = new FakeClock();
    const memories = memoriesOf(cache, clock, () => assert.fail(), signal);
    const keys = Array.from({ length: 200 }, (_, n) => `ns/t${n}` as TargetKey);
    const writes = store.writes;
    await Promise.all(keys.map((key, n) => memories.set(key, { operation: `op-${n}` })));
    await Promise.all(
      keys.map((key, n) => memories.set(key, { ...memories.get(key), began: { generation: n, at: 1 } })),
    );
    assert.ok(store.writes - writes < 10, String(store.writes - writes));
    const written = store.writes;
    for (let n = 0; n < 50; n++) memories.note("ns/t8" as TargetKey, { operation: `note-${n}` });
    assert.equal(memories.get("ns/t8" as TargetKey).operation, "note-49");
    await clock.advance(2_000);
    // The head is compressed on another thread: the fake clock does not wait for that.
    await until(() => cache.head.targets.get("ns/t8")?.operation === "note-49");
    assert.ok(store.writes - written <= 2);
    const again = await open(store);
    assert.deepEqual(again.head.targets.get("ns/t8"), { operation: "note-49" });
    assert.deepEqual(again.head.targets.get("ns/t7"), { operation: "op-7", began: { generation: 7, at: 1 } });
  });

  it("a later change that forgets an entry wins over an earlier one that puts it, when both are joined", async () => {
    const cache = await open(new MemorySecrets());
    const first = cache.commit({ put: new Map([["a", bytes("1")]]) }, signal);
    const second = cache.commit(
      {
        put: new Map([
          ["b", bytes("2")],
          ["c", bytes("3")],
        ]),
      },
      signal,
    );
    const third = cache.commit({ put: new Map([["d", bytes("4")]]), keep: new Set(["a", "c"]) }, signal);
    await Promise.all([first, second, third]);
    assert.deepEqual([...cache.head.entries.keys()].sort(), ["a", "c", "d"]);
  });

  it("refuses to write where another agent has written", async () => {
    const store = new MemorySecrets();
    const [one, other] = [await open(store), await open(store)];
    await one.commit({ highWater: 1n }, signal);
    const code = await other.commit({ highWater: 2n }, signal).catch((thrown: unknown) => Fault.from(thrown).code);
    assert.equal(code, "conflict");
  });
});
