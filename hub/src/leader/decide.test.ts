import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decide, fold, type LeaseEvent, type LeaseInput, type LeaseState, startFollowing } from "./decide.ts";
import { defaultLeaseTimes, encodeLease } from "./model.ts";

const input = (now: number, more: Partial<LeaseInput> = {}): LeaseInput => ({
  hub: "a",
  shard: "0",
  times: defaultLeaseTimes,
  now,
  wall: 1_000_000 + now,
  nonce: "n2",
  ...more,
});
const lease = (hub: string, sequence: bigint, nonce = "other") => ({
  value: encodeLease({ hub, nonce, epoch: 0n, renewedAt: 0 }),
  sequence,
});
const run = (events: readonly (readonly [number, LeaseEvent])[], from: LeaseState = startFollowing): LeaseState =>
  events.reduce((state, [now, event]) => fold(state, event, input(now)), from);
const value = { hub: "a", nonce: "n2", epoch: 0n, renewedAt: 0 };
const leading = run([
  [0, { kind: "seen", lease: undefined, at: 0 }],
  [5, { kind: "written", value, sequence: 7n, at: 5 }],
]);

describe("decide", () => {
  it("looks first, takes a missing lease, and begins a term at that sequence", () => {
    assert.deepEqual(decide(startFollowing, input(0)), { kind: "read" });
    const looked = run([[0, { kind: "seen", lease: undefined, at: 0 }]]);
    assert.equal(decide(looked, input(0)).kind, "write");
    assert.deepEqual(leading.kind === "leading" && leading.term, { shard: "0", hub: "a", epoch: 7n, nonce: "n2" });
  });

  it("takes a stranger's lease only after it stood still for the duration by our own clock", () => {
    let state: LeaseState = startFollowing;
    for (let now = 0; now < 15_000; now += 2_000) {
      state = run([[now, { kind: "seen", lease: lease("b", 4n), at: now }]], state);
      assert.notEqual(decide(state, input(now)).kind, "write", `at ${now}`);
    }
    assert.deepEqual(decide(state, input(14_900)), { kind: "wait", ms: 100 });
    const take = decide(state, input(15_000));
    assert.equal(take.kind === "write" && take.expected, 4n);
    const moved = run([[15_000, { kind: "seen", lease: lease("b", 5n), at: 15_000 }]], state);
    assert.equal(decide(moved, input(15_000)).kind, "wait");
  });

  it("takes back the lease of its own earlier life at once, but never twice", () => {
    const own = run([[0, { kind: "seen", lease: lease("a", 4n), at: 0 }]]);
    assert.equal(decide(own, input(0)).kind, "write");
    const twin = run(
      [
        [20, { kind: "refused" }],
        [30, { kind: "seen", lease: lease("a", 9n, "twin"), at: 30 }],
      ],
      leading,
    );
    assert.equal(twin.kind, "following");
    assert.equal(decide(twin, input(30)).kind, "wait");
  });

  it("takes a released lease at once", () => {
    const state = run([[0, { kind: "seen", lease: lease("b", 4n, ""), at: 0 }]]);
    assert.equal(decide(state, input(0)).kind, "write");
  });

  it("renews every retry and steps down at the deadline", () => {
    assert.deepEqual(decide(leading, input(1005)), { kind: "wait", ms: 1000 });
    const renewal = decide(leading, input(2005));
    assert.ok(renewal.kind === "write" && renewal.expected === 7n && renewal.value.epoch === 7n);
    assert.equal(decide(leading, input(10_005)).kind, "step-down");
  });

  it("knows its own unanswered renewal again, and another's write as the end", () => {
    const unsure = run([[3000, { kind: "failed" }]], leading);
    assert.equal(decide(unsure, input(4000)).kind, "read");
    const mine = run([[4000, { kind: "seen", lease: lease("a", 8n, "n2"), at: 4000 }]], unsure);
    assert.ok(mine.kind === "leading" && mine.sequence === 8n && !mine.unsure);
    assert.equal(run([[4000, { kind: "seen", lease: lease("b", 8n), at: 4000 }]], unsure).kind, "following");
    assert.equal(run([[4000, { kind: "seen", lease: undefined, at: 4000 }]], unsure).kind, "following");
    // An older copy of the store shows an older write of the same term: the term is over.
    assert.equal(run([[4000, { kind: "seen", lease: lease("a", 3n, "n2"), at: 4000 }]], unsure).kind, "following");
  });
});
