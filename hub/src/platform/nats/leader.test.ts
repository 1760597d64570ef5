import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { describe, it } from "node:test";
import { type Clock, Fault, systemClock } from "@capstan/proto";
import { FakeClock } from "@capstan/proto/testing";
import type { Term } from "../../leader/model.ts";
import type { LeaseStore } from "../../leader/port.ts";
import { LeaseKeeper } from "../../leader/reconciler.ts";
import { stateKey } from "../../store/keys.ts";
import type { Fence } from "../../store/port.ts";
import { openNatsStores } from "./stores.ts";
import { defaultKeepFor } from "./streams.ts";
import { NatsWorld, reached } from "./testing/world.ts";

const text = (value: string) => new TextEncoder().encode(value);
const never = new AbortController().signal;
const times = { duration: 1_500, renewDeadline: 1_000, retry: 200 };

/** A hub's stores and lease keeper, wired as the hub does it. */
async function hub(world: NatsWorld, name: string, clock: Clock) {
  const terms: Term[] = [];
  const ended: Term[] = [];
  // Stores need the fence, and the fence needs the stores' lease.
  const link: { keeper: LeaseKeeper | undefined } = { keeper: undefined };
  const fence: Fence = {
    shard: "0",
    current: () => link.keeper?.current(),
    settled: async (signal) => link.keeper?.settled(signal),
  };
  const connection = await world.connectHub();
  const memoryFile = join(world.folder, `${name}.json`);
  const onFault = (fault: Fault) => world.faults.push(fault);
  const stores = await openNatsStores(
    { connection, fence, memoryFile, clock: systemClock, replicas: 1, keepFor: defaultKeepFor, onFault },
    never,
  );
  const store: LeaseStore = stores.lease;
  const keeper = new LeaseKeeper({
    hub: name,
    shard: "0",
    times,
    store,
    clock,
    nonce: randomUUID,
    onFault,
    onLeading: async (term, signal) => {
      terms.push(term);
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
      ended.push(term);
    },
  });
  link.keeper = keeper;
  const stop = new AbortController();
  const running = Promise.all([keeper.run(stop.signal), stores.run(stop.signal)]);
  return { stores, keeper, terms, ended, end: () => (stop.abort(), running) };
}

describe("two hubs on one NATS", () => {
  it("one leads; one that was paused past its lease wakes up, writes, and is refused by the server", async () => {
    const world = await NatsWorld.start();
    const pausedClock = new FakeClock();
    const a = await hub(world, "a", pausedClock);
    const tick = setInterval(() => void pausedClock.advance(100), 100);
    await reached("a leads", () => a.terms.length === 1);
    const b = await hub(world, "b", systemClock);
    await a.stores.state.put(stateKey("desired", "x"), text("by a"), never);
    await assert.rejects(b.stores.state.put(stateKey("desired", "x"), text("by b"), never), isFault("not-leader"));
    // Paused: a's own time stands still, so its own clock does not warn it.
    clearInterval(tick);
    await reached("b leads", () => b.terms.length === 1);
    await b.stores.state.put(stateKey("desired", "x"), text("by b"), never);
    assert.ok((b.terms[0]?.epoch ?? 0n) > (a.terms[0]?.epoch ?? 0n));
    assert.notEqual(a.keeper.current(), undefined);
    // Also to a key that b has not touched.
    const stale = [stateKey("desired", "x"), stateKey("desired", "untouched")].map((key) =>
      assert.rejects(a.stores.state.put(key, text("stale"), never), isFault("not-leader")),
    );
    const again = setInterval(() => void pausedClock.advance(10), 20);
    await Promise.all(stale);
    await reached("a knows", () => a.ended.length === 1);
    const entry = await b.stores.state.get(stateKey("desired", "x"), never);
    assert.equal(new TextDecoder().decode(entry?.value), "by b");
    assert.equal(await b.stores.state.get(stateKey("desired", "untouched"), never), undefined);
    await assert.rejects(a.stores.bundles.delete("aa", never), isFault("not-leader"));
    await b.end();
    await reached("a leads again, at once after b's orderly end", () => a.terms.length === 2);
    await a.end();
    clearInterval(again);
    await world.end();
  });

  it("a leader writes on while its lease is renewed under it, and through a restart of NATS", async () => {
    const world = await NatsWorld.start();
    world.supervise();
    const a = await hub(world, "a", systemClock);
    await reached("a leads", () => a.terms.length === 1);
    const end = performance.now() + 1_200;
    let writes = 0;
    while (performance.now() < end) {
      const batch = Array.from({ length: 50 }, (_, i) => ({
        key: stateKey("pin", `p${i}`),
        value: text(String(writes)),
      }));
      writes += (await a.stores.state.putMany(batch, never)).length;
    }
    assert.ok(writes > 500, String(writes));
    assert.equal(a.terms.length, 1);
    process.kill(world.nats.process?.pid ?? 0, "SIGKILL");
    await reached("writes again", async () => {
      try {
        await a.stores.state.put(stateKey("pin", "after"), text("1"), never);
        return true;
      } catch {
        return false;
      }
    });
    await a.end();
    await world.end();
  });
});

function isFault(code: string): (thrown: unknown) => boolean {
  return (thrown) => {
    if (thrown instanceof Fault && thrown.code === code) return true;
    throw thrown;
  };
}
