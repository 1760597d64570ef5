import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { stateKey, statePrefix } from "../../store/keys.ts";
import type { NatsStores } from "./stores.ts";
import { HandFence, NatsWorld, takeLease } from "./testing/world.ts";

const text = (value: string) => new TextEncoder().encode(value);
const read = (value: Uint8Array | undefined) => (value === undefined ? undefined : new TextDecoder().decode(value));
const never = new AbortController().signal;

describe("stores on a real server", () => {
  let world: NatsWorld;
  let stores: NatsStores;
  const fence = new HandFence();

  before(async () => {
    world = await NatsWorld.start();
    stores = await world.stores(fence);
    await takeLease(stores, fence);
  });
  after(() => world.end());

  it("puts, reads, lists and deletes keys with names of any kind", async () => {
    const odd = stateKey("document", "Application", "argo.cd", "shop/eu ü*>");
    const revision = await stores.state.put(odd, text("one"), never);
    assert.deepEqual(await stores.state.get(odd, never), { key: odd, value: text("one"), revision });
    await stores.state.put(stateKey("document", "Application", "", "cluster-wide"), text("two"), never);
    await stores.state.put(stateKey("pin", "set:lane"), text("other"), never);
    assert.deepEqual(
      (await stores.state.list(statePrefix("document"), never)).map((entry) => read(entry.value)),
      ["one", "two"],
    );
    await stores.state.delete(odd, never);
    await stores.state.delete(stateKey("pin", "never-there"), never);
    assert.equal(await stores.state.get(odd, never), undefined);
    assert.equal((await stores.state.list(statePrefix("document"), never)).length, 1);
    assert.deepEqual(await stores.state.list(statePrefix("hold"), never), []);
  });

  it("writes a thousand desired states in well under a second and lists them by pages", async () => {
    const writes = Array.from({ length: 1000 }, (_, i) => ({
      key: stateKey("desired", `c-${i}`),
      value: randomBytes(300),
    }));
    const started = performance.now();
    const revisions = await stores.state.putMany(writes, never);
    const took = performance.now() - started;
    assert.equal(new Set(revisions).size, 1000);
    assert.ok(took < 1000, `took ${took} ms`);
    const listed = await stores.state.list(statePrefix("desired"), never);
    assert.equal(listed.length, 1000);
    assert.deepEqual(
      new Uint8Array(listed.find((e) => e.key === "desired.c-7")?.value ?? []),
      new Uint8Array(writes[7]?.value ?? []),
    );
  });

  it("keeps a document of several megabytes and refuses what does not fit", async () => {
    const key = stateKey("document", "ApplicationSet", "argocd", "big");
    const big = text("elements: [a, b, c]\n".repeat(200_000));
    await stores.state.put(key, big, never);
    assert.deepEqual((await stores.state.get(key, never))?.value, big);
    await assert.rejects(stores.state.put(key, randomBytes(1_100_000), never), isFault("too-large"));
    await assert.rejects(stores.state.put(stateKey("desired", "a"), big, never), isFault("too-large"));
  });

  it("goes on when our own renewal moved the lease, and stops when another hub took it", async () => {
    const mine = fence.sequence;
    const renewed = await takeLease(stores, fence);
    fence.sequence = mine;
    fence.next = renewed;
    await stores.state.put(stateKey("pin", "a"), text("kept"), never);
    assert.equal(fence.sequence, renewed);

    const other = new HandFence();
    const others = await world.stores(other, `${world.folder}/other.json`);
    await takeLease(others, other, "hub-b");
    await assert.rejects(stores.state.put(stateKey("pin", "a"), text("stale"), never), isFault("not-leader"));
    await assert.rejects(stores.state.delete(stateKey("pin", "a"), never), isFault("not-leader"));
    await assert.rejects(stores.bundles.delete("ab", never), isFault("not-leader"));
    assert.equal(read((await stores.state.get(stateKey("pin", "a"), never))?.value), "kept");
    await takeLease(stores, fence);
  });

  it("keeps records and audit entries in order", async () => {
    for (const word of ["plan", "start", "end"]) await stores.records.append("r.1", text(word), never);
    await stores.records.append("r.2", text("other"), never);
    const records = await stores.records.read("r.1", never);
    assert.deepEqual(
      records.map((r) => read(r.value)),
      ["plan", "start", "end"],
    );
    const plan = text('{"cluster":"eu-1","stage":2},'.repeat(100_000));
    await stores.records.append("r.3", plan, never);
    assert.deepEqual((await stores.records.read("r.3", never))[0]?.value, plan);
    for (let i = 0; i < 5; i++) await stores.audit.append(i % 2 === 0 ? "eva" : "noor@example", text(String(i)), never);
    const all = await stores.audit.read({}, never);
    assert.deepEqual(
      all.map((row) => read(row.value)),
      ["0", "1", "2", "3", "4"],
    );
    assert.equal(all[1]?.actorToken, "noor@example");
    assert.deepEqual(
      (await stores.audit.read({ actorToken: "eva" }, never)).map((row) => read(row.value)),
      ["0", "2", "4"],
    );
    assert.deepEqual(
      (await stores.audit.read({ last: 2 }, never)).map((row) => read(row.value)),
      ["3", "4"],
    );
    assert.deepEqual(
      (await stores.audit.read({ after: all[3]?.sequence ?? 0n }, never)).map((row) => read(row.value)),
      ["4"],
    );
  });

  it("keeps bundles by chunks, whole or not at all", async () => {
    const chunks = Array.from({ length: 9 }, () => new Uint8Array(randomBytes(128 * 1024)));
    assert.equal(await stores.bundles.has("aa11", never), false);
    await stores.bundles.put("aa11", chunks, never);
    await stores.bundles.put("bb22", chunks.slice(0, 1), never);
    assert.equal(await stores.bundles.has("aa11", never), true);
    const got = await stores.bundles.get("aa11", never);
    assert.equal(got?.length, 9);
    assert.ok(got?.every((chunk, i) => Buffer.from(chunk).equals(chunks[i] ?? new Uint8Array())));
    assert.deepEqual(await stores.bundles.chunk("aa11", 8, never), chunks[8]);
    assert.equal(await stores.bundles.chunk("aa11", 9, never), undefined);
    // A shorter one in its place: the old tail is not read.
    await stores.bundles.put("aa11", chunks.slice(0, 3), never);
    assert.equal((await stores.bundles.get("aa11", never))?.length, 3);
    const digests = await stores.bundles.digests(never);
    assert.deepEqual(digests.map((d) => d.hex).sort(), ["aa11", "bb22"]);
    assert.ok(digests.every((d) => Math.abs(d.storedAt - Date.now()) < 60_000));
    await stores.bundles.delete("aa11", never);
    assert.equal(await stores.bundles.get("aa11", never), undefined);
    assert.deepEqual(
      (await stores.bundles.digests(never)).map((d) => d.hex),
      ["bb22"],
    );
  });
});

function isFault(code: string): (thrown: unknown) => boolean {
  return (thrown) => thrown instanceof Fault && thrown.code === code;
}
