import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { decide, fold, type LeaseInput, type LeaseState, releasedLease, startFollowing } from "./decide.ts";
import { defaultLeaseTimes, encodeLease } from "./model.ts";
import type { StoredLease } from "./port.ts";

/** One moment: time moves on, then one hub acts; its read or write may fail before or after it took effect. */
interface Step {
  readonly ms: number;
  readonly hub: number;
  readonly luck: "good" | "lost-request" | "lost-answer" | "release";
}

const step: fc.Arbitrary<Step> = fc.record({
  ms: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 800 }) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
  ),
  hub: fc.integer({ min: 0, max: 2 }),
  luck: fc.oneof(
    { weight: 12, arbitrary: fc.constant("good" as const) },
    { weight: 2, arbitrary: fc.constantFrom("lost-request" as const, "lost-answer" as const) },
    { weight: 1, arbitrary: fc.constant("release" as const) },
  ),
});

/** Three hubs and one lease key. Between its turns a hub stands still, as one that is paused. */
class World {
  now = 0;
  stored: StoredLease | undefined;
  sequence = 0n;
  readonly hubs: LeaseState[] = [startFollowing, startFollowing, startFollowing];
  readonly nonces = [0, 0, 0];
  readonly epochs: bigint[] = [];

  run({ ms, hub, luck }: Step): void {
    this.now += ms;
    const state = this.hubs[hub] ?? startFollowing;
    const input = this.input(hub);
    if (luck === "release" && state.kind === "leading") {
      this.write(releasedLease(state, 0), state.sequence);
      this.hubs[hub] = fold(state, { kind: "stepped-down" }, input);
      return;
    }
    const action = decide(state, input);
    const at = this.now;
    switch (action.kind) {
      case "wait":
        return;
      case "step-down":
        this.hubs[hub] = fold(state, { kind: "stepped-down" }, input);
        return;
      case "read":
        this.hubs[hub] = fold(
          state,
          luck === "good" ? { kind: "seen", lease: this.stored, at } : { kind: "failed" },
          input,
        );
        return;
      case "write": {
        const sequence = luck === "lost-request" ? undefined : this.write(encodeLease(action.value), action.expected);
        if (luck !== "good") this.hubs[hub] = fold(state, { kind: "failed" }, input);
        else if (sequence === undefined) this.hubs[hub] = fold(state, { kind: "refused" }, input);
        else this.hubs[hub] = fold(state, { kind: "written", value: action.value, sequence, at }, input);
        this.noteTerm(hub, state);
      }
    }
  }

  /** Hubs that would let a write go out now, by their own clocks. */
  leaders(): number {
    const { renewDeadline } = defaultLeaseTimes;
    return this.hubs.filter((hub) => hub.kind === "leading" && this.now - hub.renewedAt < renewDeadline).length;
  }

  private input(hub: number): LeaseInput {
    const nonce = `${hub}-${this.nonces[hub]}`;
    return { hub: `hub-${hub}`, shard: "0", times: defaultLeaseTimes, now: this.now, wall: 0, nonce };
  }

  private write(value: Uint8Array, expected: bigint): bigint | undefined {
    if ((this.stored?.sequence ?? 0n) !== expected) return undefined;
    this.sequence += 1n;
    this.stored = { value, sequence: this.sequence };
    return this.sequence;
  }

  private noteTerm(hub: number, before: LeaseState): void {
    const after = this.hubs[hub];
    if (before.kind === "leading" || after?.kind !== "leading") return;
    this.epochs.push(after.term.epoch);
    this.nonces[hub] = (this.nonces[hub] ?? 0) + 1;
  }
}

describe("decide, over any schedule of three hubs, with pauses and lost messages", () => {
  it("lets at most one believe that it leads, and epochs only grow", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 50, maxLength: 300 }), (steps) => {
        const world = new World();
        for (const each of steps) {
          world.run(each);
          assert.ok(world.leaders() <= 1, `${world.leaders()} leaders at ${world.now}`);
        }
        for (const [i, epoch] of world.epochs.entries()) assert.ok(i === 0 || epoch > (world.epochs[i - 1] ?? 0n));
      }),
      { numRuns: 500 },
    );
  });

  it("finds a leader soon once messages arrive", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
        const world = new World();
        for (const each of steps) world.run(each);
        for (let i = 0; i < 3 * 200; i++) world.run({ ms: 50, hub: i % 3, luck: "good" });
        assert.equal(world.leaders(), 1);
      }),
      { numRuns: 200 },
    );
  });
});
