import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { gunzipSync, gzipSync } from "node:zlib";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { type ClusterId, type Digest, Fault, systemClock, type TargetKey } from "@capstan/proto";
import {
  DesiredTargetSchema,
  Removal,
  SealedKeySchema,
  SignedDesiredStateSchema,
  WindowSchema,
} from "@capstan/proto/desired";
import { generous } from "@capstan/proto/testing";
import type { Change } from "../targets/content.ts";
import { contentOf } from "../targets/content.ts";
import { decodeDesired } from "./codec.ts";
import type { BundleVault, DesiredCrypto, DesiredStore } from "./port.ts";
import { DistributionReconciler } from "./reconciler.ts";

const sha256 = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}` as Digest;
const crypto: DesiredCrypto = {
  gzip: (bytes) => gzipSync(bytes),
  gunzip: (bytes, limit) => gunzipSync(bytes, { maxOutputLength: limit }),
  sign: (bytes) => ({ keyId: "k", signature: new TextEncoder().encode(sha256(bytes)) }),
  verify: (bytes, { signature }) => new TextDecoder().decode(signature) === sha256(bytes),
  sha256,
  seal: () => create(SealedKeySchema, { sealed: new Uint8Array(48) }),
};
const a = "a" as ClusterId;
const web = "argocd/web" as TargetKey;

class World {
  readonly stored = new Map<ClusterId, Uint8Array>();
  readonly bundles = new Map<Digest, Uint8Array>();
  readonly hinted: string[] = [];
  readonly faults: Fault[] = [];
  readonly stop = new AbortController();
  readonly distribution: DistributionReconciler;
  refuse: Fault | undefined;

  constructor() {
    const store: DesiredStore = {
      load: async () => new Map(this.stored),
      saveAll: async (writes) => {
        if (this.refuse !== undefined) throw this.refuse;
        for (const [cluster, bytes] of writes) this.stored.set(cluster, bytes);
      },
      delete: async (cluster) => void this.stored.delete(cluster),
    };
    const vault: BundleVault = {
      store: async (digest, content) => {
        this.bundles.set(digest, content);
        return { digest, size: content.length, chunks: 1, keyId: "s" };
      },
      read: async (digest) => this.bundles.get(digest),
      has: async (digest) => this.bundles.has(digest),
      forget: () => undefined,
    };
    this.distribution = new DistributionReconciler({
      fleet: "f",
      clock: systemClock,
      store,
      vault,
      crypto,
      hints: { hint: (cluster, revision) => void this.hinted.push(`${cluster}@${revision}`) },
      recipient: (cluster) => ({ cluster, incarnation: "u", labels: {}, mode: 2, sealingKey: "00" }),
      onFault: (fault) => void this.faults.push(fault),
    });
  }

  state(cluster: ClusterId) {
    const bytes = this.stored.get(cluster);
    return bytes === undefined ? undefined : decodeDesired(bytes, crypto);
  }

  /** Runs until the given cluster is written, or fails after two seconds times CAPSTAN_PATIENCE. */
  written(cluster: ClusterId): Promise<void> {
    return new Promise((resolve, reject) => {
      const bound = setTimeout(() => reject(new Error("not written in time")), generous(2000));
      const stop = this.distribution.onWritten((clusters) => {
        if (!clusters.includes(cluster)) return;
        clearTimeout(bound);
        stop();
        resolve();
      });
    });
  }
}

function hold(text: string, fields: { selfHeal?: boolean } = {}): Change {
  const digest = sha256(new TextEncoder().encode(text));
  const target = create(DesiredTargetSchema, {
    namespace: "argocd",
    name: "web",
    policy: { automated: true, selfHeal: fields.selfHeal ?? false },
  });
  return {
    kind: "hold",
    content: contentOf(target, { digest, size: text.length, chunks: 1, keyId: "s" }, (t) =>
      sha256(new TextEncoder().encode(t)),
    ),
  };
}

test("a cluster is written to only after its hello, above what it ever held", async (t) => {
  const world = new World();
  t.after(() => world.stop.abort());
  await world.distribution.load(7n, world.stop.signal);
  void world.distribution.run(world.stop.signal);
  world.distribution.assign(a, web, hold("one"));
  assert.equal(world.stored.size, 0);
  const written = world.written(a);
  await world.distribution.hail(a, { highWater: 41n, held: undefined }, world.stop.signal);
  await written;
  const state = world.state(a);
  assert.equal(state?.revision, 42n);
  assert.equal(state?.epoch, 7n);
  assert.equal(state?.targets[0]?.generation, 42n);
  assert.deepEqual(world.hinted, ["a@42"]);
});

test("only what changed gets a new generation; the rest keeps its bytes", async (t) => {
  const world = new World();
  t.after(() => world.stop.abort());
  await world.distribution.load(1n, world.stop.signal);
  void world.distribution.run(world.stop.signal);
  const other = "argocd/other" as TargetKey;
  const change = hold("other");
  world.distribution.assign(a, web, hold("one"));
  if (change.kind === "hold") {
    const named = create(DesiredTargetSchema, { ...change.content.target, name: "other" });
    world.distribution.assign(a, other, { kind: "hold", content: { ...change.content, target: named } });
  }
  let written = world.written(a);
  await world.distribution.hail(a, { highWater: 0n, held: undefined }, world.stop.signal);
  await written;
  const before = world.state(a)?.targets.find((x) => x.name === "other");
  written = world.written(a);
  world.distribution.assign(a, web, hold("two"));
  await written;
  const state = world.state(a);
  assert.equal(state?.targets.find((x) => x.name === "web")?.generation, 2n);
  const after = state?.targets.find((x) => x.name === "other");
  assert.ok(before !== undefined && after !== undefined);
  assert.deepEqual(toBinary(DesiredTargetSchema, after), toBinary(DesiredTargetSchema, before));
});

test("a target leaves by a tombstone, which goes once the agent confirms its generation", async (t) => {
  const world = new World();
  t.after(() => world.stop.abort());
  await world.distribution.load(1n, world.stop.signal);
  void world.distribution.run(world.stop.signal);
  world.distribution.assign(a, web, hold("one"));
  let written = world.written(a);
  await world.distribution.hail(a, { highWater: 0n, held: undefined }, world.stop.signal);
  await written;
  written = world.written(a);
  world.distribution.assign(a, web, { kind: "remove", removal: Removal.PRUNE, reason: "set deleted", approvedBy: "" });
  await written;
  assert.equal(world.state(a)?.targets.length, 0);
  assert.equal(world.state(a)?.tombstones[0]?.generation, 2n);
  written = world.written(a);
  world.distribution.confirmRemoved(a, web, 1n); // of an older tombstone: counts for nothing
  world.distribution.confirmRemoved(a, web, 2n);
  await written;
  assert.equal(world.state(a)?.tombstones.length, 0);
});

test("what an agent brings becomes current where the store holds less", async (t) => {
  const first = new World();
  t.after(() => first.stop.abort());
  await first.distribution.load(1n, first.stop.signal);
  void first.distribution.run(first.stop.signal);
  first.distribution.assign(a, web, hold("one"));
  const written = first.written(a);
  await first.distribution.hail(a, { highWater: 9n, held: undefined }, first.stop.signal);
  await written;
  const bytes = first.stored.get(a);
  assert.ok(bytes !== undefined);
  const { fromBinary } = await import("@bufbuild/protobuf");
  const held = fromBinary(SignedDesiredStateSchema, bytes);

  const second = new World();
  await second.distribution.load(2n, second.stop.signal);
  assert.equal(await second.distribution.hail(a, { highWater: 10n, held }, second.stop.signal), 10n);
  assert.equal(second.state(a)?.targets[0]?.name, "web");

  const forged = { ...held, payload: held.payload.slice(1) };
  await assert.rejects(
    second.distribution.hail(a, { highWater: 10n, held: forged }, second.stop.signal),
    (e: unknown) => e instanceof Fault && e.code === "signature-refused",
  );
});

test("the same content again is no change; another policy is", async () => {
  const [one, same, other] = [hold("one"), hold("one"), hold("one", { selfHeal: true })];
  assert.ok(one.kind === "hold" && same.kind === "hold" && other.kind === "hold");
  assert.equal(one.content.digest, same.content.digest);
  assert.notEqual(one.content.digest, other.content.digest);
});

test("a list past the inline limit becomes a bundle and comes back whole", async (t) => {
  const world = new World();
  t.after(() => world.stop.abort());
  await world.distribution.load(1n, world.stop.signal);
  void world.distribution.run(world.stop.signal);
  for (let i = 0; i < 6000; i++) {
    const change = hold(`bundle ${i}`);
    assert.ok(change.kind === "hold");
    const target = create(DesiredTargetSchema, { ...change.content.target, name: `app-${i}` });
    const key = `argocd/app-${i}` as TargetKey;
    world.distribution.assign(a, key, { kind: "hold", content: { ...change.content, target } });
  }
  const written = world.written(a);
  await world.distribution.hail(a, { highWater: 0n, held: undefined }, world.stop.signal);
  await written;
  assert.ok(world.state(a)?.list !== undefined);
  await world.distribution.load(2n, world.stop.signal);
  assert.equal(world.distribution.held(a)?.targets.size, 6000);

  // The store is lost whole: the agent brings its state, and then the list that it names.
  const held = fromBinary(SignedDesiredStateSchema, world.stored.get(a) ?? new Uint8Array());
  const [[digest, content] = assert.fail("no list")] = [...world.bundles].filter(
    ([each]) => each === world.state(a)?.list?.digest,
  );
  const after = new World();
  t.after(() => after.stop.abort());
  const { signal } = after.stop;
  await after.distribution.load(3n, signal);
  assert.equal(await after.distribution.listMissing(a, held, signal), digest);
  const other = { digest, gzip: gzipSync("other") };
  await assert.rejects(after.distribution.takeList(other, signal), { code: "digest-mismatch" });
  await assert.rejects(after.distribution.takeList({ digest, gzip: content.subarray(9) }, signal), {
    code: "digest-mismatch",
  });
  await after.distribution.takeList({ digest, gzip: gzipSync(content) }, signal);
  assert.equal(await after.distribution.listMissing(a, held, signal), undefined);
  await after.distribution.hail(a, { highWater: 1n, held }, signal);
  assert.equal(after.distribution.held(a)?.targets.size, 6000);
});

test("other windows reach the cluster at once, without a new generation", async (t) => {
  const world = new World();
  t.after(() => world.stop.abort());
  await world.distribution.load(1n, world.stop.signal);
  void world.distribution.run(world.stop.signal);
  world.distribution.assign(a, web, hold("one"));
  let written = world.written(a);
  await world.distribution.hail(a, { highWater: 0n, held: undefined }, world.stop.signal);
  await written;
  written = world.written(a);
  const windows = [create(WindowSchema, { allow: false, schedule: "0 22 * * *" })];
  world.distribution.assign(a, web, { kind: "adjust", windows });
  await written;
  const [target] = world.state(a)?.targets ?? [];
  assert.equal(world.state(a)?.revision, 2n);
  assert.equal(target?.generation, 1n);
  assert.equal(target?.windows[0]?.schedule, "0 22 * * *");
});
