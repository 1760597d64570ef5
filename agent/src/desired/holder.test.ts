import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClusterId, Fault } from "@capstan/proto";
import { DesiredTargetSchema, TargetListSchema } from "@capstan/proto/desired";
import { MemorySecrets } from "../cache/memory.ts";
import { ClusterCache } from "../cache/reconciler.ts";
import { cacheShelf } from "../cache/shelf.ts";
import { bundleCrypto } from "../platform/crypto/bundles.ts";
import { agentCrypto } from "../platform/crypto/keys.ts";
import { TestFleet } from "../platform/grpc/testing/fleet.ts";
import { open } from "./accept.ts";
import { StateHolder } from "./holder.ts";
import type { HeldState } from "./model.ts";

const signal = new AbortController().signal;
const keys = agentCrypto.makeKeys();
const sealTo = agentCrypto.sealingPublic(keys.sealing);
const eyes = { verify: agentCrypto.verifyEd25519, gunzip: bundleCrypto.gunzip };
let boots = 0;

/** A holder over a cache in memory and a hub that has what `chunks` names. */
async function holderOf(fleet: TestFleet, store: MemorySecrets, chunks = fleet.chunks) {
  const cache = new ClusterCache({ ...bundleCrypto, store, bootId: `h${++boots}` });
  await cache.load(signal);
  const missing: string[] = [];
  const fetched: string[] = [];
  const holder = new StateHolder({
    crypto: bundleCrypto,
    verify: eyes.verify,
    shelf: cacheShelf(cache),
    sealingKeys: () => [keys.sealing],
    accepted: () => undefined,
    missing: (target) => missing.push(target),
    source: {
      read: async () => undefined,
      chunk: async (digest, n) => {
        fetched.push(digest);
        const found = chunks.get(`${digest}/${n}`);
        if (found === undefined) throw new Fault("not-found", { message: "no such chunk" });
        return found;
      },
    },
  });
  return { holder, cache, missing, fetched };
}

const scopeOf = (fleet: TestFleet, more: object = {}) => ({
  cluster: "a" as ClusterId,
  incarnation: "uid-1",
  features: ["known"],
  verification: [{ id: fleet.keyId, publicKey: fleet.publicKey }],
  ...more,
});

function held(fleet: TestFleet, revision: bigint, more: object): HeldState {
  const signed = fleet.sign({ fleet: fleet.id, cluster: "a", incarnation: "uid-1", revision, ...more });
  const state = open(signed, scopeOf(fleet), eyes);
  if (state instanceof Fault) throw state;
  return { signed, state };
}

const target = (fleet: TestFleet, name: string, content: unknown) =>
  create(DesiredTargetSchema, { namespace: "ns", name, bundle: fleet.bundle([content], sealTo) });

describe("the holder of the state", () => {
  it("brings state and bundles back after a restart with nobody to ask", async () => {
    const fleet = new TestFleet();
    const store = new MemorySecrets();
    const first = await holderOf(fleet, store);
    const one = target(fleet, "one", { a: 1 });
    await first.holder.take(held(fleet, 4n, { targets: [one] }), signal);
    const second = await holderOf(fleet, store, new Map());
    assert.equal(await second.holder.restore(scopeOf(fleet), signal), undefined);
    assert.equal(second.holder.current?.state.revision, 4n);
    assert.equal(second.cache.head.highWater, 4n);
    const gzip = await second.holder.bundle(one, signal);
    assert.equal(new TextDecoder().decode(bundleCrypto.gunzip(gzip, 1000)), '{"a":1}\n');
    assert.deepEqual(second.fetched, []);
  });

  it("does not act on what a newer agent stored and this one does not understand", async () => {
    const fleet = new TestFleet();
    const store = new MemorySecrets();
    const first = await holderOf(fleet, store);
    const state = { targets: [target(fleet, "one", { a: 1 })], requiredFeatures: ["known", "hooks"] };
    await first.holder.take(held(fleet, 4n, state), signal);
    const older = await holderOf(fleet, store, new Map());
    assert.equal((await older.holder.restore(scopeOf(fleet), signal))?.code, "feature-missing");
    assert.equal(older.holder.current, undefined);
    assert.equal(older.cache.head.highWater, 4n);
    const newer = await holderOf(fleet, store, new Map());
    const scope = scopeOf(fleet, { features: ["known", "hooks"] });
    assert.equal(await newer.holder.restore(scope, signal), undefined);
  });

  it("takes lists that stand in a bundle of their own, and keeps that bundle too", async () => {
    const fleet = new TestFleet();
    const store = new MemorySecrets();
    const targets = [target(fleet, "one", { a: 1 }), target(fleet, "two", { b: 2 })];
    const list = fleet.store(toBinary(TargetListSchema, create(TargetListSchema, { targets })), sealTo);
    const first = await holderOf(fleet, store);
    await first.holder.take(held(fleet, 4n, { list }), signal);
    assert.deepEqual(
      first.holder.current?.lists.targets.map(({ name }) => name),
      ["one", "two"],
    );
    const second = await holderOf(fleet, store, new Map());
    await second.holder.restore(scopeOf(fleet), signal);
    assert.equal(second.holder.current?.lists.targets.length, 2);
    // A hub that has lost it is brought the very bytes.
    const pieces = await second.holder.listPieces(list.digest, signal);
    const plain = gunzipSync(Buffer.concat(pieces.map(({ data }) => data)));
    assert.equal(fromBinary(TargetListSchema, plain).targets.length, 2);
    assert.deepEqual(
      pieces.map(({ more }) => more),
      [false],
    );
    assert.equal((await second.holder.listPieces(`sha256:${"0".repeat(64)}`, signal))[0]?.data.length, 0);
  });

  it("takes a state though one bundle is missing, fetches only what it lacks, forgets what nothing names", async () => {
    const fleet = new TestFleet();
    const one = target(fleet, "one", { a: 1 });
    const two = target(fleet, "two", { b: 2 });
    const chunks = new Map([...fleet.chunks].filter(([name]) => !name.startsWith(two.bundle?.digest ?? "-")));
    const { holder, cache, missing, fetched } = await holderOf(fleet, new MemorySecrets(), chunks);
    await holder.take(held(fleet, 4n, { targets: [one, two] }), signal);
    assert.deepEqual(missing, ["ns/two"]);
    assert.equal(holder.current?.state.revision, 4n);
    await assert.rejects(
      holder.bundle(two, signal),
      (thrown) => thrown instanceof Fault && thrown.code === "not-found",
    );
    fetched.length = 0;
    await holder.take(held(fleet, 5n, { targets: [one] }), signal);
    assert.deepEqual(fetched, []);
    await holder.take(held(fleet, 6n, { targets: [] }), signal);
    assert.deepEqual([...cache.head.entries.keys()], ["desired"]);
  });

  it("trusts a retired key for what it holds, and uses no cache of another cluster or key", async () => {
    const fleet = new TestFleet();
    const store = new MemorySecrets();
    await (await holderOf(fleet, store)).holder.take(held(fleet, 4n, {}), signal);
    const { holder } = await holderOf(fleet, store);
    const retired = [{ id: fleet.keyId, publicKey: fleet.publicKey, retired: true }];
    const code = async (scope: ReturnType<typeof scopeOf>) => (await holder.restore(scope, signal))?.code;
    assert.equal(await code(scopeOf(fleet, { incarnation: "uid-2" })), "wrong-incarnation");
    assert.equal(await code(scopeOf(new TestFleet())), "signature-refused");
    assert.equal(holder.current, undefined);
    assert.equal(await code(scopeOf(fleet, { verification: retired })), undefined);
  });
});
