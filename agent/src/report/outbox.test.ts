import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { create } from "@bufbuild/protobuf";
import { Fault, type TargetKey } from "@capstan/proto";
import { Phase, type ReportBatch, TargetReportSchema } from "@capstan/proto/agent";
import { fullEveryMs, Outbox, paceMs, patienceMs, quickBatches, quickMs } from "./outbox.ts";

const report = (name: string, generation = 1n, phase = Phase.DONE) =>
  create(TargetReportSchema, { namespace: "ns", name, generation, phase });
const names = (batch: ReportBatch) => batch.reports.map(({ name, generation }) => `${name}@${generation}`).sort();

function batchOf(outbox: Outbox, now: number): ReportBatch {
  const due = outbox.next(now);
  assert.ok(due.kind === "batch", due.kind);
  return due.batch;
}

/** An outbox whose first, full batch is acknowledged. */
function started(): Outbox {
  const outbox = new Outbox();
  outbox.connected();
  outbox.acknowledged(batchOf(outbox, 0).sequence);
  return outbox;
}

describe("the outbox", () => {
  it("tells everything after hello, then only what changed, the first change at once", () => {
    const outbox = new Outbox();
    outbox.report(report("a"));
    outbox.report(report("b"));
    outbox.connected();
    const full = batchOf(outbox, 0);
    assert.ok(full.full);
    assert.deepEqual(names(full), ["a@1", "b@1"]);
    outbox.acknowledged(full.sequence);
    outbox.report(report("b", 2n));
    assert.deepEqual(names(batchOf(outbox, 5_000)), ["b@2"]);
  });

  it("sends a few batches quickly after a pause, and coalesces what changes between them", () => {
    const outbox = started();
    outbox.report(report("a", 1n));
    outbox.report(report("a", 2n));
    assert.deepEqual(outbox.next(40), { kind: "later", afterMs: quickMs - 40 });
    outbox.report(report("a", 3n));
    assert.deepEqual(names(batchOf(outbox, quickMs)), ["a@3"]);
  });

  it("sends one batch a second in the long run, and is quick again only after a pause", () => {
    const outbox = started();
    let generation = 0n;
    const sentBetween = (from: number, to: number) => {
      const sent: number[] = [];
      for (let now = from; now < to; now += 20) {
        outbox.report(report("a", ++generation));
        const due = outbox.next(now);
        if (due.kind !== "batch") continue;
        outbox.acknowledged(due.batch.sequence);
        sent.push(now - from);
      }
      return sent;
    };
    // The first of the quick ones was the full batch at 0.
    assert.deepEqual(sentBetween(20, 4_020), [80, 180, 980, 1_980, 2_980, 3_980]);
    const pause = 4_020 + quickBatches * paceMs;
    assert.deepEqual(sentBetween(pause, pause + 1_500), [0, 100, 200, 1_000]);
  });

  it("says nothing of what has not changed", () => {
    const outbox = started();
    outbox.report(report("a"));
    outbox.acknowledged(batchOf(outbox, 2_000).sequence);
    outbox.report(report("a"));
    assert.equal(outbox.next(9_000).kind, "later");
  });

  it("keeps one batch under way, and sends again what was not acknowledged, as it is by then", () => {
    const outbox = started();
    outbox.report(report("a", 1n));
    const first = batchOf(outbox, 2_000);
    outbox.report(report("a", 2n));
    assert.deepEqual(outbox.next(3_000), { kind: "later", afterMs: patienceMs - 1_000 });
    const again = batchOf(outbox, 2_000 + patienceMs);
    assert.deepEqual(names(again), ["a@2"]);
    assert.equal(again.sequence, first.sequence + 1n);
    outbox.acknowledged(first.sequence);
    outbox.report(report("b"));
    assert.equal(outbox.next(2_000 + patienceMs + 1_500).kind, "later");
  });

  it("tells everything again every five minutes and after each hello", () => {
    const outbox = started();
    outbox.report(report("a"));
    outbox.acknowledged(batchOf(outbox, 2_000).sequence);
    const later = batchOf(outbox, fullEveryMs);
    assert.ok(later.full);
    assert.deepEqual(names(later), ["a@1"]);
    outbox.connected();
    assert.ok(batchOf(outbox, fullEveryMs + 2_000).full);
  });

  it("repeats a removal until it is acknowledged", () => {
    const outbox = started();
    outbox.report(report("a"));
    outbox.removed({ target: "ns/a" as TargetKey, generation: 4n });
    const first = batchOf(outbox, 2_000);
    assert.deepEqual(names(first), []);
    assert.equal(first.removed[0]?.generation, 4n);
    outbox.connected();
    const again = batchOf(outbox, 4_000);
    assert.equal(again.removed.length, 1);
    outbox.acknowledged(again.sequence);
    outbox.report(report("b"));
    assert.equal(batchOf(outbox, 6_000).removed.length, 0);
  });

  it("says once why a state is refused, and that it no longer is", () => {
    const outbox = started();
    const fault = () => new Fault("older-revision", { message: "4 < 5" });
    outbox.refused(fault(), 7_000);
    const first = batchOf(outbox, 2_000);
    assert.equal(first.refused?.code, "older-revision");
    assert.equal(first.refused?.since?.seconds, 7n);
    outbox.acknowledged(first.sequence);
    outbox.refused(fault());
    assert.equal(outbox.next(4_000).kind, "later");
    outbox.refused(undefined);
    assert.equal(batchOf(outbox, 6_000).refused, undefined);
  });
});
