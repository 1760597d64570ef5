import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { type BundleRef, BundleRefSchema } from "@capstan/proto/desired";
import { bundleCrypto } from "../platform/crypto/bundles.ts";
import { agentCrypto } from "../platform/crypto/keys.ts";
import { TestFleet } from "../platform/grpc/testing/fleet.ts";
import { fetchBundle } from "./bundle.ts";

const fleet = new TestFleet();
const keys = agentCrypto.makeKeys();
const older = agentCrypto.makeKeys();
const signal = new AbortController().signal;
const sealTo = agentCrypto.sealingPublic(keys.sealing);

function ports(replace: ReadonlyMap<string, Uint8Array> = new Map(), sealingKeys = [keys.sealing]) {
  return {
    crypto: bundleCrypto,
    sealingKeys: () => sealingKeys,
    source: {
      read: async () => undefined,
      chunk: async (digest: string, n: number) => {
        const found = replace.get(`${digest}/${n}`) ?? fleet.chunks.get(`${digest}/${n}`);
        if (found === undefined) throw new Fault("not-found", { message: "no chunk" });
        return found;
      },
    },
  };
}

const code = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "no fault",
    (thrown: unknown) => Fault.from(thrown).code,
  );
const changed = (ref: BundleRef, more: object) => create(BundleRefSchema, { ...ref, ...more });

describe("a bundle", () => {
  it("comes whole through chunks, encryption and compression, and is read line by line", async () => {
    const objects = Array.from({ length: 900 }, (_, n) => ({
      n,
      noise: randomBytes(400).toString("base64"),
      ключ: "значение",
    }));
    const ref = fleet.bundle(objects, sealTo);
    assert.ok(ref.chunks > 2);
    const { gzip } = await fetchBundle(ports(), ref, signal);
    const lines: unknown[] = [];
    for await (const line of bundleCrypto.lines(gzip)) lines.push(JSON.parse(line));
    assert.deepEqual(lines, objects);
  });

  it("opens with an earlier sealing key, and not with another's", async () => {
    const ref = fleet.bundle([{ a: 1 }], agentCrypto.sealingPublic(older.sealing));
    assert.equal(await code(fetchBundle(ports(new Map(), [keys.sealing, older.sealing]), ref, signal)), "no fault");
    assert.equal(await code(fetchBundle(ports(), ref, signal)), "signature-refused");
  });

  it("is refused when a chunk is missing, changed, or another bundle's", async () => {
    const ref = fleet.bundle([{ b: 1 }], sealTo);
    const other = fleet.bundle([{ b: 2 }], sealTo);
    const name = `${ref.digest}/0`;
    const chunk = fleet.chunks.get(name) ?? new Uint8Array();
    const flipped = chunk.map((byte, at) => (at === 20 ? byte ^ 1 : byte));
    assert.equal(await code(fetchBundle(ports(), changed(ref, { chunks: 2 }), signal)), "not-found");
    assert.equal(await code(fetchBundle(ports(new Map([[name, flipped]])), ref, signal)), "digest-mismatch");
    assert.equal(
      await code(fetchBundle(ports(new Map([[name, chunk.subarray(0, 30)]])), ref, signal)),
      "digest-mismatch",
    );
    const swapped = new Map([[name, fleet.chunks.get(`${other.digest}/0`) ?? chunk]]);
    assert.equal(await code(fetchBundle(ports(swapped), ref, signal)), "digest-mismatch");
    assert.equal(await code(fetchBundle(ports(), changed(ref, { key: other.key }), signal)), "signature-refused");
  });

  it("is refused past its limits: named sizes and real ones", async () => {
    const ref = fleet.bundle([{ c: 1 }], sealTo);
    assert.equal(await code(fetchBundle(ports(), changed(ref, { size: 1n << 40n }), signal)), "too-large");
    assert.equal(await code(fetchBundle(ports(), changed(ref, { chunks: 100_000 }), signal)), "too-large");
    assert.equal(await code(fetchBundle(ports(), changed(ref, { size: ref.size - 1n }), signal)), "too-large");
    assert.equal(await code(fetchBundle(ports(), changed(ref, { size: ref.size + 1n }), signal)), "digest-mismatch");
    assert.equal(await code(fetchBundle(ports(), changed(ref, { chunks: 0 }), signal)), "bad-input");
    const bomb = gzipSync(new Uint8Array(20 * 1024 * 1024));
    assert.equal(await code(bundleCrypto.digestOf(bomb, 1024)), "too-large");
  });
});
