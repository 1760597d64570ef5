import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import { MemoryStore } from "../store/memory.ts";
import { decodeEntry, untangle, verifyChain } from "./chain.ts";
import type { AuditEntry } from "./model.ts";
import { AuditTrail } from "./reconciler.ts";

const hash = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const never = new AbortController().signal;
const call = { actor: "eva", action: "cluster.revoke", resource: "cluster/eu-1" };

function trail(store: MemoryStore, term: { epoch: bigint | undefined }) {
  let ids = 0;
  return new AuditTrail({
    store: store.audit,
    clock: new FakeClock(),
    hash,
    id: () => `id-${ids++}`,
    epoch: () => term.epoch,
    onLost: ({ action }, { code }) => void lost.push(`${action} ${code}`),
  });
}

async function entries(store: MemoryStore): Promise<AuditEntry[]> {
  const rows = await store.audit.read({}, never);
  return rows.map((row) => decodeEntry(row.value)).filter((entry) => entry !== undefined);
}

/** Outcomes that could not be stored. */
const lost: string[] = [];

describe("AuditTrail", () => {
  it("writes the intent before and the outcome after, in one chain over many calls at once", async () => {
    const store = new MemoryStore();
    const audit = trail(store, { epoch: 3n });
    const seen = await audit.audited(call, async () => (await entries(store)).length, never);
    assert.equal(seen, 1);
    const failing = audit.audited(
      { ...call, detail: { b: "2", a: "1" } },
      async () => Promise.reject(new Fault("held", { message: "held" })),
      never,
    );
    await assert.rejects(failing, (thrown: unknown) => thrown instanceof Fault && thrown.code === "held");
    await Promise.all(Array.from({ length: 20 }, () => audit.audited(call, async () => undefined, never)));
    const all = await entries(store);
    assert.equal(all.length, 44);
    assert.equal(verifyChain(all, hash), undefined);
    assert.deepEqual(
      all.slice(0, 4).map((entry) => entry.phase.kind),
      ["intent", "done", "intent", "failed"],
    );
    assert.equal(all[2]?.id, all[3]?.id);
  });

  it("tells of an outcome that cannot be stored; the call is done all the same", async () => {
    const store = new MemoryStore();
    const append = store.audit.append;
    let writes = 0;
    store.audit.append = (...args) =>
      ++writes === 1 ? append(...args) : Promise.reject(new Fault("store-full", { message: "full" }));
    lost.length = 0;
    assert.equal(await trail(store, { epoch: 1n }).audited(call, async () => "done", never), "done");
    assert.deepEqual(lost, [`${call.action} store-full`]);
  });

  it("begins nothing without a stored intent, nor without the lease", async () => {
    const store = new MemoryStore();
    const term: { epoch: bigint | undefined } = { epoch: undefined };
    const audit = trail(store, term);
    let ran = false;
    const work = async () => {
      ran = true;
    };
    await assert.rejects(
      audit.audited(call, work, never),
      (thrown: unknown) => thrown instanceof Fault && thrown.code === "not-leader",
    );
    term.epoch = 1n;
    store.audit.append = async () => Promise.reject(new Fault("store-full", { message: "full" }));
    await assert.rejects(
      audit.audited(call, work, never),
      (thrown: unknown) => thrown instanceof Fault && thrown.code === "store-full",
    );
    assert.equal(ran, false);
  });

  it("goes on with the chain in the next term, and sets a stale leader's entries beside", async () => {
    const store = new MemoryStore();
    const old = trail(store, { epoch: 1n });
    await old.audited(call, async () => undefined, never);
    const next = trail(store, { epoch: 5n });
    await next.audited(call, async () => undefined, never);
    await old.audited({ ...call, action: "stale" }, async () => undefined, never);
    await next.audited(call, async () => undefined, never);
    const { main, beside } = untangle(await entries(store));
    assert.equal(verifyChain(main, hash), undefined);
    assert.equal(main.length, 6);
    assert.deepEqual(
      beside.map((entry) => entry.action),
      ["stale", "stale"],
    );
    const third = trail(store, { epoch: 9n });
    await third.audited(call, async () => undefined, never);
    assert.equal(untangle(await entries(store)).main.length, 8);
  });
});

describe("verifyChain", () => {
  it("names the first entry that was changed, taken out or moved", async () => {
    const store = new MemoryStore();
    const audit = trail(store, { epoch: 1n });
    for (let i = 0; i < 3; i++) await audit.audited(call, async () => undefined, never);
    const all = await entries(store);
    const changed = all.map((entry, i) => (i === 2 ? { ...entry, actor: "noor" } : entry));
    assert.deepEqual(verifyChain(changed, hash), { index: 3n, kind: "hash" });
    assert.deepEqual(
      verifyChain(
        all.filter((_, i) => i !== 2),
        hash,
      ),
      { index: 4n, kind: "link" },
    );
    assert.deepEqual(verifyChain(all.slice(2), hash, { index: 2n, hash: all[1]?.hash ?? "" }), undefined);
    assert.deepEqual(verifyChain([...all].reverse(), hash), { index: 6n, kind: "link" });
  });
});
