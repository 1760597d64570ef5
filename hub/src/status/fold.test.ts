import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { ClusterId, TargetKey } from "@capstan/proto";
import { Health, ReportBatchSchema, TargetReportSchema } from "@capstan/proto/agent";
import { decodeStatus, encodeStatus } from "./codec.ts";
import { foldReports } from "./fold.ts";
import { unseen } from "./model.ts";
import { isOffline, staleness } from "./stale.ts";

const a = "a" as ClusterId;
const web = "argocd/web" as TargetKey;
const report = (generation: bigint, health: Health = Health.HEALTHY) =>
  create(TargetReportSchema, { namespace: "argocd", name: "web", generation, health });
const batch = (sequence: bigint, reports: ReturnType<typeof report>[], full = false) =>
  create(ReportBatchSchema, { sequence, reports, full, revision: 7n });

test("a batch that was folded before changes nothing but the sign of life", () => {
  const first = foldReports(unseen(a), batch(1n, [report(1n)]), { bootId: "b", now: 10 });
  const again = foldReports(first.status, batch(1n, [report(1n, Health.DEGRADED)]), { bootId: "b", now: 20 });
  assert.equal(again.fresh, false);
  assert.equal(again.status.lastSeen, 20);
  assert.equal(again.status.targets.get(web)?.report.health, Health.HEALTHY);
});

test("a new boot counts its sequences anew", () => {
  const first = foldReports(unseen(a), batch(9n, [report(1n)]), { bootId: "b", now: 10 });
  const next = foldReports(first.status, batch(1n, [report(1n, Health.DEGRADED)], true), { bootId: "c", now: 20 });
  assert.equal(next.fresh, true);
  assert.equal(next.status.targets.get(web)?.report.health, Health.DEGRADED);
});

test("a report of an older generation does not overwrite a newer one", () => {
  const first = foldReports(unseen(a), batch(1n, [report(5n)]), { bootId: "b", now: 10 });
  const late = foldReports(first.status, batch(2n, [report(4n, Health.DEGRADED)]), { bootId: "b", now: 20 });
  assert.equal(late.status.targets.get(web)?.report.generation, 5n);
});

test("health counts from when the hub first saw it at that generation", () => {
  let { status } = foldReports(unseen(a), batch(1n, [report(1n)]), { bootId: "b", now: 10 });
  ({ status } = foldReports(status, batch(2n, [report(1n)]), { bootId: "b", now: 20 }));
  assert.equal(status.targets.get(web)?.healthSince, 10);
  ({ status } = foldReports(status, batch(3n, [report(2n)]), { bootId: "b", now: 30 }));
  assert.equal(status.targets.get(web)?.healthSince, 30);
});

test("a full batch forgets targets that it does not name; a removal is told with its generation", () => {
  const first = foldReports(unseen(a), batch(1n, [report(1n)]), { bootId: "b", now: 10 });
  const gone = create(ReportBatchSchema, {
    sequence: 2n,
    full: true,
    removed: [{ namespace: "argocd", name: "web", generation: 3n }],
  });
  const folded = foldReports(first.status, gone, { bootId: "b", now: 20 });
  assert.equal(folded.status.targets.size, 0);
  assert.deepEqual(folded.removed, [{ target: web, generation: 3n }]);
});

test("a status comes back from its bytes as it was", () => {
  const { status } = foldReports(unseen(a), batch(1n, [report(1n)]), { bootId: "b", now: 10 });
  assert.deepEqual(decodeStatus(a, encodeStatus(status)), status);
});

test("nobody is called offline by a hub that has just begun to listen", () => {
  const times = staleness(10);
  const at = { listeningSince: 1_000_000, staleness: times };
  assert.equal(isOffline(500_000, { ...at, now: 1_060_000 }), false);
  assert.equal(isOffline(500_000, { ...at, now: 1_000_000 + times.graceMs + times.offlineAfterMs }), true);
  assert.equal(isOffline(1_050_000, { ...at, now: 1_060_000 }), false);
});

test("heartbeats are whole milliseconds for every size of a fleet", () => {
  const odd = Array.from({ length: 10_000 }, (_, size) => staleness(size)).filter(
    ({ heartbeatMs }) => !Number.isInteger(heartbeatMs),
  );
  assert.deepEqual(odd, []);
});
