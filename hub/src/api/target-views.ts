import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Health } from "@capstan/proto/agent";
import { type TargetTotals, TargetTotalsSchema, type TargetView, TargetViewSchema } from "@capstan/proto/application";
import { healthOf, syncOf } from "../status/count.ts";
import { modeOf } from "../targets/policy.ts";
import type { Listable, Orders } from "./page.ts";
import { whyTarget } from "./reasons.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { faultDetail } from "./views.ts";

/** A target as people see it. */
export function targetView(row: Row, seen: Seen): TargetView {
  const { world } = seen;
  const cluster = row.cluster === "" ? undefined : world.status.of(row.cluster);
  const status = cluster?.targets.get(row.key);
  const [namespace = "", name = ""] = row.key.split("/");
  const waits = whyTarget(row, status, seen);
  return create(TargetViewSchema, {
    namespace,
    name,
    set: row.set,
    lane: row.lane,
    cluster: row.cluster,
    project: projectOf(row),
    labels: labelsOf(row),
    ...(row.desired?.release === undefined ? {} : { desired: row.desired.release }),
    generation: row.desired?.generation ?? 0n,
    digest: row.desired?.bundle?.digest ?? "",
    ...(row.wantedRelease === undefined ? {} : { wanted: row.wantedRelease }),
    ...(status === undefined ? {} : { report: status.report, reportedAt: timestampFromMs(status.reportedAt) }),
    stale: row.cluster !== "" && !world.live.isConnected(row.cluster),
    ...(waits === undefined ? {} : { reason: waits }),
    faults: row.fault === undefined ? [] : [faultDetail(row.fault)],
    madeBy: row.asked?.madeBy ?? "",
    ...modeIn(row, seen),
  });
}

function modeIn(row: Row, { world }: Seen) {
  if (row.desired !== undefined) return { mode: row.desired.mode };
  const cluster = world.clusters.get(row.cluster);
  if (row.asked === undefined || cluster === undefined) return {};
  return { mode: modeOf(row.asked.application, cluster.mode) };
}

/** What lists of targets are narrowed by. */
export function targetListable(row: Row): Listable {
  const [namespace = ""] = row.key.split("/");
  return {
    id: `${row.key} ${row.cluster}`,
    labels: labelsOf(row),
    cluster: row.cluster,
    project: projectOf(row),
    namespace,
  };
}

/** Orders of lists of targets. */
export function targetOrders(seen: Seen): Orders<Row> {
  const statusOf = (row: Row) => seen.world.status.of(row.cluster).targets.get(row.key);
  return {
    name: ({ key }) => key.slice(key.indexOf("/") + 1),
    cluster: ({ cluster }) => cluster,
    health: (row) => healthOf(statusOf(row)),
    sync: (row) => syncOf(statusOf(row), row.desired?.generation ?? 0n),
    since: (row) => statusOf(row)?.healthSince ?? 0,
  };
}

/** Health of a row as it was last reported. */
export function healthAt(row: Row, { world }: Seen): Health {
  return world.status.of(row.cluster).targets.get(row.key)?.report.health ?? Health.UNKNOWN;
}

/** Counts of some targets. */
export function totalsOf(rows: readonly Row[], { world }: Seen): TargetTotals {
  const totals = create(TargetTotalsSchema, { total: rows.length });
  const clusters = new Set<string>();
  for (const row of rows) {
    if (row.cluster !== "") clusters.add(row.cluster);
    const status = world.status.of(row.cluster).targets.get(row.key);
    if (row.desired === undefined) continue;
    if (healthOf(status) === "healthy") totals.healthy += 1;
    if (row.wanted?.content === row.held && syncOf(status, row.desired.generation) === "synced") totals.synced += 1;
  }
  totals.clusters = clusters.size;
  return totals;
}

/** `NAMESPACE/NAME on CLUSTER`. */
export function placeText({ key, cluster }: Pick<Row, "key" | "cluster">): string {
  return cluster === "" ? key : `${key} on ${cluster}`;
}

/** The project, as asked for now, else as it was delivered. */
export function projectOf(row: Row): string {
  return row.asked?.application.spec.project ?? row.desired?.project ?? "";
}

function labelsOf(row: Row): Record<string, string> {
  return { ...row.asked?.application.metadata.labels };
}
