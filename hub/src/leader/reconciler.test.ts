import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import { defaultLeaseTimes, type Term } from "./model.ts";
import type { LeaseStore, StoredLease } from "./port.ts";
import { LeaseKeeper } from "./reconciler.ts";

/** A lease in memory that can be cut off, or swallow answers. */
class FakeLease implements LeaseStore {
  stored: StoredLease | undefined;
  sequence = 0n;
  down = false;
  silent = false;

  async read(): Promise<StoredLease | undefined> {
    if (this.down) throw new Fault("store-unavailable", { message: "down" });
    return this.stored;
  }

  async write(_shard: string, value: Uint8Array, expected: bigint): Promise<bigint | undefined> {
    if (this.down) throw new Fault("store-unavailable", { message: "down" });
    if ((this.stored?.sequence ?? 0n) !== expected) return undefined;
    this.sequence += 1n;
    this.stored = { value, sequence: this.sequence };
    if (this.silent) throw new Fault("timeout", { message: "silent" });
    return this.sequence;
  }
}

function hub(name: string, store: LeaseStore, clock = new FakeClock()) {
  const terms: Term[] = [];
  const ended: Term[] = [];
  const faults: Fault[] = [];
  let nonce = 0;
  const work = { fail: false };
  const keeper = new LeaseKeeper({
    hub: name,
    shard: "0",
    times: defaultLeaseTimes,
    store,
    clock,
    nonce: () => `${name}-${Math.floor(clock.now())}-${nonce++}`,
    onLeading: async (term, signal) => {
      terms.push(term);
      if (work.fail) throw new Fault("internal", { message: "broken" });
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      ended.push(term);
    },
    onFault: (fault) => faults.push(fault),
  });
  const stop = new AbortController();
  const run = keeper.run(stop.signal);
  return { keeper, terms, ended, faults, clock, work, stop: () => (stop.abort(), run) };
}

describe("LeaseKeeper", () => {
  it("lets one lead, renews, and hands over at once at an orderly end", async () => {
    const store = new FakeLease();
    const clock = new FakeClock();
    const a = hub("a", store, clock);
    await clock.advance(10);
    const b = hub("b", store, clock);
    await clock.advance(60_000);
    assert.equal(a.terms.length, 1);
    assert.equal(b.terms.length, 0);
    assert.equal(a.keeper.current(), store.sequence);
    assert.ok(store.sequence > 25n);
    await a.stop();
    assert.equal(a.keeper.current(), undefined);
    await clock.advance(2_100);
    assert.equal(b.terms.length, 1);
    assert.ok((b.terms[0]?.epoch ?? 0n) > (a.terms[0]?.epoch ?? 0n));
    await b.stop();
  });

  it("takes over from a hub that stands still, whose own clock then tells it so before it writes", async () => {
    const store = new FakeLease();
    const a = hub("a", store);
    const b = hub("b", store);
    await a.clock.advance(10);
    // a's clock does not move any more, as under SIGSTOP; b's does.
    await b.clock.advance(14_000);
    assert.equal(b.terms.length, 0);
    await b.clock.advance(3_000);
    assert.equal(b.terms.length, 1);
    assert.notEqual(a.keeper.current(), undefined);
    // Its fence is still open for an instant, but the server refuses; then it learns.
    const settled = a.keeper.settled(new AbortController().signal);
    await a.clock.advance(1);
    assert.equal(await settled, undefined);
    assert.equal(a.ended.length, 1);
    assert.equal(a.keeper.term(), undefined);
    await Promise.all([a.stop(), b.stop()]);
  });

  it("steps down by its own deadline when the store is gone, and leads again when it is back", async () => {
    const store = new FakeLease();
    const a = hub("a", store);
    await a.clock.advance(10);
    store.down = true;
    await a.clock.advance(9_000);
    assert.equal(a.ended.length, 0);
    await a.clock.advance(3_000);
    assert.equal(a.ended.length, 1);
    assert.equal(a.keeper.current(), undefined);
    store.down = false;
    await a.clock.advance(20_000);
    assert.equal(a.terms.length, 2);
    await a.stop();
  });

  it("keeps its term when the answer to a renewal is lost", async () => {
    const store = new FakeLease();
    const a = hub("a", store);
    await a.clock.advance(10);
    store.silent = true;
    await a.clock.advance(2_100);
    store.silent = false;
    await a.clock.advance(3_000);
    assert.equal(a.terms.length, 1);
    assert.equal(a.ended.length, 0);
    assert.equal(a.keeper.current(), store.sequence);
    await a.stop();
  });

  it("takes its own lease back at once after a sudden death", async () => {
    const store = new FakeLease();
    const a = hub("a", store);
    await a.clock.advance(10);
    const again = hub("a", store);
    await again.clock.advance(10);
    assert.equal(again.terms.length, 1);
    await Promise.all([a.stop(), again.stop()]);
  });

  it("gives the lease away when the leader's work fails, and tries again later", async () => {
    const store = new FakeLease();
    const a = hub("a", store);
    a.work.fail = true;
    await a.clock.advance(100);
    assert.equal(a.terms.length, 1);
    a.work.fail = false;
    await a.clock.advance(5_000);
    assert.equal(a.terms.length, 2);
    assert.equal(a.faults[0]?.message, "broken");
    await a.stop();
  });
});
