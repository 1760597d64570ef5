import assert from "node:assert/strict";
import { it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault } from "@capstan/proto";
import { GoodbyeSchema, WelcomeSchema } from "@capstan/proto/agent";
import fc from "fast-check";
import type { LinkEvent, LinkState } from "./model.ts";
import { step } from "./step.ts";

const session = fc.integer({ min: 0, max: 4 });
const fault = fc
  .constantFrom("hub-unreachable", "revoked", "timeout", "certificate-refused")
  .map((code) => new Fault(code as "timeout", { message: "x" }));
const event: fc.Arbitrary<LinkEvent> = fc.oneof(
  fc.record({ kind: fc.constant("start" as const), enrolled: fc.boolean() }),
  fc.constant({ kind: "enrolled" as const }),
  fc.constant({ kind: "renewed" as const }),
  fc.record({ kind: fc.constant("enroll-failed" as const), fault }),
  fc.record({ kind: fc.constant("opened" as const), session }),
  fc.record({ kind: fc.constant("sent" as const), session }),
  fc.record({ kind: fc.constant("closed" as const), session, fault }),
  fc.record({
    kind: fc.constant("welcome" as const),
    session,
    welcome: fc.constant(create(WelcomeSchema, { versions: { protocol: 1, protocolMin: 1 } })),
  }),
  fc.record({
    kind: fc.constant("goodbye" as const),
    session,
    goodbye: fc.nat(1e6).map((retryAfterMs) => create(GoodbyeSchema, { code: "not-leader", retryAfterMs })),
  }),
  fc.constant({ kind: "tick" as const }),
);

it("whatever happens: sessions only grow, connected and disconnected alternate, and no waiting state lacks an alarm", () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ event, pause: fc.nat(90_000), draw: fc.double({ min: 0, max: 0.999, noNaN: true }) }), {
        maxLength: 60,
      }),
      (script) => {
        let state: LinkState = { kind: "Starting" };
        let now = 0;
        let up = false;
        let highest = 0;
        let alarm: number | undefined;
        for (const { event: next, pause, draw } of script) {
          now += pause;
          const [after, effects] = step(state, next, { now, draw, endpoints: ["a:1"] });
          for (const effect of effects) {
            if (effect.kind === "connected" || effect.kind === "disconnected") {
              assert.equal(up, effect.kind === "disconnected");
              up = !up;
            }
            if (effect.kind === "wake") alarm = effect.at;
            if (effect.kind === "dial") {
              assert.ok(effect.session > highest);
              highest = effect.session;
            }
          }
          assert.equal(up, after.kind === "Connected");
          if (after.kind === "BackingOff" && after !== state) assert.equal(alarm, after.until);
          state = after;
        }
      },
    ),
  );
});
