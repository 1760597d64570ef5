import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { type Goodbye, GoodbyeSchema, type Welcome, WelcomeSchema } from "@capstan/proto/agent";
import type { LinkEffect, LinkEvent, LinkState } from "./model.ts";
import { enrollPatience, greetingPatience, step } from "./step.ts";

/** A link that a test drives by hand; every draw is 1, so delays are their ceilings. */
class Bench {
  state: LinkState = { kind: "Starting" };
  now = 0;
  endpoints = ["hub-1:443", "hub-2:443"];

  feed(event: LinkEvent, draw = 1): LinkEffect[] {
    const [next, effects] = step(this.state, event, { now: this.now, draw, endpoints: this.endpoints });
    this.state = next;
    return effects;
  }

  get session(): number {
    return "session" in this.state ? this.state.session : 0;
  }

  get waits(): number {
    if (this.state.kind !== "BackingOff") throw new Error(`not backing off but ${this.state.kind}`);
    return this.state.until - this.now;
  }

  fail(code: "hub-unreachable" | "revoked" | "certificate-refused" = "hub-unreachable"): LinkEffect[] {
    return this.feed({ kind: "closed", session: this.session, fault: new Fault(code, { message: "no" }) });
  }

  wake(): LinkEffect[] {
    if (this.state.kind === "BackingOff") this.now = this.state.until;
    return this.feed({ kind: "tick" });
  }

  connect(): LinkEffect[] {
    this.feed({ kind: "opened", session: this.session });
    return this.feed({ kind: "welcome", session: this.session, welcome: welcome() });
  }
}

function welcome(more: Partial<Welcome> = {}): Welcome {
  const versions = { protocol: 1, protocolMin: 1 };
  return create(WelcomeSchema, { versions, heartbeatMs: 5_000, ...more } as never);
}

function goodbye(more: Partial<Goodbye>): Goodbye {
  return create(GoodbyeSchema, more as never);
}

const kinds = (effects: readonly LinkEffect[]) => effects.map(({ kind }) => kind);

describe("the link machine", () => {
  it("enrols first where there is no identity, then dials, greets and stands", () => {
    const bench = new Bench();
    assert.deepEqual(kinds(bench.feed({ kind: "start", enrolled: false })), ["enroll"]);
    assert.deepEqual(bench.feed({ kind: "enrolled" }), [{ kind: "dial", session: 1, endpoint: "hub-1:443" }]);
    assert.deepEqual(kinds(bench.feed({ kind: "opened", session: 1 })), ["hello", "wake"]);
    assert.deepEqual(kinds(bench.feed({ kind: "welcome", session: 1, welcome: welcome() })), ["connected", "wake"]);
    assert.equal(bench.state.kind, "Connected");
  });

  it("stops for good when enrolment is refused, and when no hub answers within its patience", () => {
    const refused = new Bench();
    refused.feed({ kind: "start", enrolled: false });
    const fault = new Fault("token-refused", { message: "used already" });
    assert.deepEqual(refused.feed({ kind: "enroll-failed", fault }), [{ kind: "stopped", reason: fault }]);

    const silent = new Bench();
    silent.feed({ kind: "start", enrolled: false });
    const unreachable = new Fault("hub-unreachable", { message: "no route" });
    for (let tries = 0; silent.state.kind !== "Stopped"; tries++) {
      assert.ok(tries < 100);
      silent.feed({ kind: "enroll-failed", fault: unreachable });
      if (silent.state.kind === "BackingOff") assert.deepEqual(kinds(silent.wake()), ["enroll"]);
    }
    assert.ok(silent.now >= enrollPatience && silent.now < enrollPatience + 61_000);
  });

  it("tries the hubs in turn, waits 0.5 s doubled up to 15 s in the first minute, then up to 60 s", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    const waits: number[] = [];
    const endpoints: string[] = [];
    for (let tries = 0; tries < 10; tries++) {
      bench.fail();
      waits.push(bench.waits);
      for (const effect of bench.wake()) if (effect.kind === "dial") endpoints.push(effect.endpoint);
    }
    assert.deepEqual(waits, [500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000, 15_000, 60_000, 60_000]);
    assert.deepEqual(endpoints.slice(0, 3), ["hub-2:443", "hub-1:443", "hub-2:443"]);
  });

  it("never stops because of what a hub says: a revoked agent holds its course and tries again", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.connect();
    const effects = bench.feed({
      kind: "goodbye",
      session: 1,
      goodbye: goodbye({ code: "revoked", message: "by ann" }),
    });
    assert.deepEqual(kinds(effects), ["disconnected", "close", "wake"]);
    assert.equal(bench.state.kind, "BackingOff");
  });

  it("honours the time and the place that a goodbye names, within reason", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.connect();
    const away = goodbye({ code: "not-leader", retryAfterMs: 30_000, endpoint: "hub-9:443" });
    bench.feed({ kind: "goodbye", session: 1, goodbye: away });
    assert.equal(bench.waits, 30_500);
    assert.deepEqual(bench.wake(), [{ kind: "dial", session: 2, endpoint: "hub-9:443" }]);
    bench.connect();
    bench.feed({ kind: "goodbye", session: 2, goodbye: goodbye({ code: "not-leader", retryAfterMs: 2 ** 32 - 1 }) });
    assert.ok(bench.waits < 700_000);
  });

  it("gives up a hub that says no welcome, and one that speaks no version of ours", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.feed({ kind: "opened", session: 1 });
    bench.now = greetingPatience;
    assert.deepEqual(kinds(bench.feed({ kind: "tick" })), ["close", "wake"]);
    bench.wake();
    bench.feed({ kind: "opened", session: 2 });
    const old = welcome({ versions: { protocol: 0, protocolMin: 0 } } as never);
    assert.deepEqual(kinds(bench.feed({ kind: "welcome", session: 2, welcome: old })), ["close", "wake"]);
    assert.equal(bench.state.kind === "BackingOff" && bench.state.trouble.last?.code, "version-unsupported");
  });

  it("beats when nothing else was sent", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.connect();
    bench.now = 3_000;
    bench.feed({ kind: "sent", session: 1 });
    bench.now = 5_000;
    assert.deepEqual(bench.feed({ kind: "tick" }), [{ kind: "wake", at: 8_000 }]);
    bench.now = 8_000;
    assert.deepEqual(kinds(bench.feed({ kind: "tick" })), ["heartbeat", "wake"]);
  });

  it("forgets a row of failures only after a session that lasted", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    for (let tries = 0; tries < 3; tries++) {
      bench.fail();
      bench.wake();
    }
    bench.connect();
    bench.now += 100;
    bench.fail();
    assert.equal(bench.waits, 4_000);
    bench.wake();
    bench.connect();
    bench.now += 20_000;
    bench.fail();
    assert.equal(bench.waits, 500);
  });

  it("does not listen to streams of before", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.fail();
    bench.wake();
    const before = bench.state;
    assert.deepEqual(bench.feed({ kind: "closed", session: 1, fault: new Fault("timeout", { message: "late" }) }), []);
    assert.deepEqual(bench.feed({ kind: "welcome", session: 1, welcome: welcome() }), []);
    assert.equal(bench.state, before);
  });

  it("dials at once with a renewed credential", () => {
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.fail("certificate-refused");
    assert.deepEqual(kinds(bench.feed({ kind: "renewed" })), ["dial"]);
  });

  it("ends from every state", () => {
    const reason = new Fault("cancelled", { message: "bye" });
    const bench = new Bench();
    bench.feed({ kind: "start", enrolled: true });
    bench.connect();
    assert.deepEqual(kinds(bench.feed({ kind: "stop", reason })), ["disconnected", "close", "stopped"]);
    assert.deepEqual(bench.feed({ kind: "tick" }), []);
  });
});
