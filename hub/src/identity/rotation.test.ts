import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type ClusterId, parseClusterId } from "@capstan/proto";
import { type KeyNotes, type Trust, defaultIdentityTimes as times } from "./model.ts";
import { isBehind, type RotationInput, rotate } from "./rotation.ts";

const day = 86_400_000;
const [a, b] = [parseClusterId("a"), parseClusterId("b")];

/** One look after the other over the same notes. */
function fleet() {
  let notes: KeyNotes | undefined;
  return (input: Partial<RotationInput> & { readonly now: number }) => {
    const done = rotate({ times, signing: ["k1"], roots: ["r1"], clusters: new Map(), ...input, notes });
    notes = done.notes;
    return done;
  };
}

const trusting = (...trusts: (Trust | undefined)[]) =>
  new Map<ClusterId, Trust | undefined>([a, b].map((id, index) => [id, trusts[index]] as const));
const old: Trust = { keys: ["k1"], roots: ["r1"] };
const both: Trust = { keys: ["k1", "k2"], roots: ["r1", "r2"] };

describe("a signing key", () => {
  const signing = ["k1", "k2"];

  it("is in use where a fleet has noted nothing yet", () => {
    assert.equal(fleet()({ now: 0, signing, clusters: trusting(old, old) }).signWith, "k2");
  });

  it("signs once every cluster trusts it, not before, and goes on when one that does not know it joins", () => {
    const look = fleet();
    assert.equal(look({ now: 0, clusters: trusting(old, old) }).signWith, "k1");
    assert.equal(look({ now: 1, signing, clusters: trusting(old, old) }).signWith, "k1");
    assert.equal(look({ now: 2, signing, clusters: trusting(both, old) }).signWith, "k1");
    assert.equal(look({ now: 3, signing, clusters: trusting(both, undefined) }).signWith, "k1");
    assert.equal(look({ now: 4, signing, clusters: trusting(both, both) }).signWith, "k2");
    assert.equal(look({ now: 5, signing, clusters: trusting(both, old) }).signWith, "k2");
  });

  it("signs at the latest when every certificate of its time is over", () => {
    const look = fleet();
    look({ now: 0, clusters: trusting(old, undefined) });
    look({ now: 1, signing, clusters: trusting(old, undefined) });
    assert.equal(look({ now: times.certificate, signing, clusters: trusting(old, undefined) }).signWith, "k1");
    const late = 1 + times.certificate + times.skew;
    assert.equal(look({ now: late, signing, clusters: trusting(old, undefined) }).signWith, "k2");
  });

  it("gives way to the one before where its file is taken away", () => {
    const look = fleet();
    assert.equal(look({ now: 0, signing }).signWith, "k2");
    assert.equal(look({ now: 1, signing: ["k1"] }).signWith, "k1");
  });
});

describe("a CA", () => {
  const roots = ["r1", "r2"];

  it("is retired after the overlap, once every cluster trusts its successor, and stays so", () => {
    const look = fleet();
    look({ now: 0, clusters: trusting(old, old) });
    assert.deepEqual(look({ now: 1, roots, clusters: trusting(both, both) }).retired, []);
    assert.deepEqual(look({ now: 31 * day, roots, clusters: trusting(both, old) }).retired, []);
    assert.deepEqual(look({ now: 31 * day, roots, clusters: trusting(both, both) }).retired, ["r1"]);
    assert.deepEqual(look({ now: 31 * day, roots, clusters: trusting(both, old) }).retired, ["r1"]);
  });

  it("is retired at the end of the grace, whoever has not renewed", () => {
    const look = fleet();
    look({ now: 0, clusters: trusting(old, old) });
    look({ now: 0, roots, clusters: trusting(old, old) });
    assert.deepEqual(look({ now: times.grace - 1, roots, clusters: trusting(old, old) }).retired, []);
    assert.deepEqual(look({ now: times.grace, roots, clusters: trusting(old, old) }).retired, ["r1"]);
  });

  it("is never retired as the newest", () => {
    const look = fleet();
    look({ now: 0 });
    assert.deepEqual(look({ now: 1000 * day }).retired, []);
  });
});

it("an agent is behind when it lacks any key or CA that is offered", () => {
  assert.equal(isBehind(both, old), false);
  assert.equal(isBehind(old, both), true);
  assert.equal(isBehind(undefined, old), true);
});
