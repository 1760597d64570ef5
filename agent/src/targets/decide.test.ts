import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { TargetKey } from "@capstan/proto";
import { type DesiredTarget, DesiredTargetSchema } from "@capstan/proto/desired";
import type { Inventory } from "../inventory/model.ts";
import { decide, type Situation, type Work } from "./decide.ts";

const digest = `sha256:${"a".repeat(64)}`;

function target(more: MessageInitShape<typeof DesiredTargetSchema> = {}): DesiredTarget {
  const policy = { automated: true };
  return create(DesiredTargetSchema, {
    namespace: "ns",
    name: "shop",
    generation: 5n,
    bundle: { digest },
    policy,
    ...more,
  } as MessageInitShape<typeof DesiredTargetSchema>);
}

function inventory(generation: number, applied = true): Inventory {
  return {
    target: "ns/shop" as TargetKey,
    generation,
    digest,
    applied,
    entries: new Map(),
    left: new Set(),
    deletions: [],
    hooks: new Map(),
    farewell: [],
  };
}

function work(more: Partial<Situation>): Work {
  return decide({
    target: target(),
    inventory: inventory(0, false),
    memory: {},
    suspects: new Set(),
    looked: false,
    now: Date.UTC(2026, 0, 1, 12),
    ...more,
  });
}

const operation = { id: "op-1", sync: true };
const never = [{ allow: false, schedule: "* * * * *", duration: { seconds: 60n } }];

describe("what is done with a target", () => {
  it("a new generation is applied; one whose apply failed is applied again", () => {
    assert.deepEqual(work({}), { kind: "apply", again: false });
    assert.deepEqual(work({ inventory: inventory(4) }), { kind: "apply", again: false });
    assert.deepEqual(work({ inventory: inventory(5, false) }), { kind: "apply", again: false });
  });

  it("an applied one is looked at once by each process, then when the watch suspects it, then left alone", () => {
    const applied = { inventory: inventory(5) };
    assert.deepEqual(work(applied), { kind: "check", back: false });
    assert.deepEqual(work({ ...applied, looked: true }), { kind: "rest" });
    const suspects = new Set(["/ConfigMap/ns/a"]);
    assert.deepEqual(work({ ...applied, looked: true, suspects }), { kind: "check", only: suspects, back: false });
  });

  it("without automation it waits for an operation, and each operation is done once", () => {
    const manual = target({ policy: { automated: false } });
    assert.equal(work({ target: manual }).kind, "hold");
    const asked = target({ policy: { automated: false }, operation });
    assert.deepEqual(work({ target: asked }), { kind: "apply", again: true, operation: "op-1" });
    assert.equal(work({ target: asked, memory: { operation: "op-1" } }).kind, "hold");
    const done = { target: asked, memory: { operation: "op-1" }, inventory: inventory(5), looked: true };
    assert.equal(work(done).kind, "rest");
  });

  it("an operation may choose objects", () => {
    const some = target({ operation: { ...operation, selection: ["/ConfigMap/ns/a"] } });
    const found = work({ target: some });
    assert.deepEqual(found.kind === "apply" && found.only, new Set(["/ConfigMap/ns/a"]));
  });

  it("a window holds, an operation passes where it may, a signed override always; checks go on", () => {
    const held = work({ target: target({ windows: never }) });
    assert.equal(held.kind, "hold");
    const byPerson = target({ windows: never, operation });
    assert.equal(work({ target: byPerson }).kind, "hold");
    const may = target({ windows: never.map((window) => ({ ...window, manualSync: true })), operation });
    assert.equal(work({ target: may }).kind, "apply");
    const until = { seconds: BigInt(Date.UTC(2026, 0, 2) / 1000) };
    assert.equal(work({ target: target({ windows: never, windowOverride: { until } }) }).kind, "apply");
    const check = work({ target: target({ windows: never }), inventory: inventory(5) });
    assert.ok(check.kind === "check" && check.closed !== undefined, "it looks, and puts nothing right");
  });

  it("a generation that was left by a local rollback is not tried again, a higher one is, and an operation too", () => {
    const memory = { rolledBack: { generation: 5, at: 0 } };
    assert.deepEqual(work({ memory, inventory: inventory(5) }), { kind: "check", back: true });
    assert.equal(work({ memory, target: target({ generation: 6n }) }).kind, "apply");
    assert.equal(work({ memory, target: target({ operation }) }).kind, "apply");
  });
});
