import { create } from "@bufbuild/protobuf";
import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import type { Instant } from "@capstan/proto";
import { Health, Phase, Sync } from "@capstan/proto/agent";
import type { FaultDetail } from "@capstan/proto/common";
import { type Look, LookSchema, type RolloutLine } from "@capstan/proto/fleet";
import { isOver } from "../rollout/fold.ts";
import { driftText, whyLane, whyTarget } from "./reasons.ts";
import { rolloutLine } from "./rollout-views.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { faultDetail } from "./views.ts";

/** Worst first. */
const ranks = ["failed", "degraded", "refused", "held", "waiting", "drifted", "offline"] as const;
type Kind = (typeof ranks)[number];

interface Found {
  readonly kind: Kind;
  readonly name: string;
  readonly cluster: string;
  readonly message: string;
  readonly since?: Timestamp | undefined;
}

/** Rollouts that are not over, newest first. */
export function rolloutLines(seen: Seen): RolloutLine[] {
  return seen.lanes
    .map((key) => seen.lane(key))
    .flatMap((standing) => {
      const run = standing?.run;
      return standing === undefined || run === undefined || isOver(run.status) ? [] : [{ standing, run }];
    })
    .sort((a, b) => b.run.plan.plannedAt - a.run.plan.plannedAt)
    .map(({ standing, run }) => rolloutLine(run, standing, seen));
}

/** What needs a look, worst first, then oldest first: one line each. What a running rollout moves as planned is none. */
export function looksOf(seen: Seen): Look[] {
  const found = [...seen.rows.flatMap((row) => ofRow(row, seen)), ...laneLooks(seen), ...elements(seen), ...held(seen)];
  for (const { id } of seen.world.clusters.records()) {
    const isOffline =
      seen.world.clusters.get(id) !== undefined &&
      seen.world.clusters.record(id)?.enrolment !== undefined &&
      !seen.world.desk.isRevoked(id) &&
      !seen.world.live.isConnected(id);
    const since = seen.world.status.of(id).lastSeen;
    if (isOffline)
      found.push({ kind: "offline", name: "", cluster: id, message: "it holds course on its own", since: at(since) });
  }
  const order = (one: Found) => ranks.indexOf(one.kind);
  const time = (one: Found) => (one.since === undefined ? Number.POSITIVE_INFINITY : timestampMs(one.since));
  return found
    .sort(
      (a, b) => order(a) - order(b) || time(a) - time(b) || compare(a.name, b.name) || compare(a.cluster, b.cluster),
    )
    .map(({ kind, name, cluster, message, since }) =>
      create(LookSchema, { kind, name, cluster, message, ...(since === undefined ? {} : { since }) }),
    );
}

/** What is wrong with inputs: roots and repositories that cannot be read. */
export function inputProblems({ world }: Seen): FaultDetail[] {
  const problems = new Map<string, FaultDetail>();
  for (const { root, faults } of world.documents.roots()) {
    const source = world.repositories.faultOf(root.repoURL, root.revision);
    for (const fault of source === undefined ? faults : [source, ...faults]) {
      problems.set(`${fault.code} ${fault.message}`, faultDetail(fault));
    }
  }
  for (const { repositories } of world.releases.states()) {
    for (const each of repositories) {
      const [url = "", revision = ""] = each.split(" ");
      const fault = world.repositories.faultOf(url, revision);
      if (fault !== undefined) problems.set(`${fault.code} ${fault.message}`, faultDetail(fault));
    }
  }
  return [...problems.values()];
}

function ofRow(row: Row, seen: Seen): Found[] {
  const { cluster } = row;
  const name = seen.aloneOn(row) ? row.lane : keyName(row);
  if (row.fault !== undefined) return [{ kind: "refused", name: keyName(row), cluster, message: row.fault.message }];
  const status = cluster === "" ? undefined : seen.world.status.of(cluster).targets.get(row.key);
  if (status === undefined || row.desired === undefined) return [];
  const { report, reportedAt } = status;
  const [problem] = report.problems;
  const since = report.healthSince ?? timestampFromMs(status.healthSince);
  if (report.phase === Phase.FAILED || report.phase === Phase.ROLLED_BACK) {
    const word = report.phase === Phase.FAILED ? "could not be applied" : "the agent went back to what it held before";
    return [
      {
        kind: "failed",
        name,
        cluster,
        message: problem?.message || report.healthMessage || word,
        since: at(reportedAt),
      },
    ];
  }
  if (report.health === Health.DEGRADED || report.health === Health.MISSING) {
    const word = report.health === Health.DEGRADED ? "degraded" : "its objects are missing";
    return [{ kind: "degraded", name, cluster, message: report.healthMessage || problem?.message || word, since }];
  }
  if (report.generation < row.desired.generation) return [];
  if (report.sync === Sync.DRIFTED) {
    const heals = row.desired.policy?.selfHeal === true;
    const message = `${driftText(status)}; self-heal is ${heals ? "on" : "off"}`;
    return [{ kind: "drifted", name, cluster, message, since: report.drift[0]?.at ?? at(reportedAt) }];
  }
  if (report.phase === Phase.WAITING || report.sync === Sync.WAITING) {
    const waits = whyTarget(row, status, seen);
    return waits === undefined
      ? []
      : [{ kind: "waiting", name, cluster, message: waits.message, since: waits.since ?? at(reportedAt) }];
  }
  return [];
}

/** Lanes that wait for a person though no rollout of theirs is under way. */
function laneLooks(seen: Seen): Found[] {
  return seen.lanes.flatMap((key): Found[] => {
    const run = seen.lane(key)?.run;
    if (run !== undefined && !isOver(run.status)) return [];
    const waits = whyLane(key, seen);
    if (waits === undefined || !["manual-sync", "ended", "pinned"].includes(waits.rule)) return [];
    return [{ kind: "waiting", name: seen.text(key), cluster: "", message: waits.message, since: waits.since }];
  });
}

/** Elements of generators that make no target. */
function elements(seen: Seen): Found[] {
  return [...seen.world.releases.states()].flatMap(({ owner, faults }) =>
    faults.map(
      (fault): Found => ({
        kind: "refused",
        name: owner.slice(owner.indexOf("/") + 1),
        cluster: "",
        message: fault.message,
      }),
    ),
  );
}

function held({ world }: Seen): Found[] {
  return world.guard.lists().map(({ digest, list, rules, scope }) => {
    const message = `${list.length} removals held: ${rules.map(({ text }) => text).join("; ")} (capstan deletion show ${digest.slice(7, 19)})`;
    return { kind: "held", name: scope.slice(scope.indexOf("/") + 1), cluster: "", message };
  });
}

function keyName({ key }: Row): string {
  return key.slice(key.indexOf("/") + 1);
}

function at(instant: Instant): Timestamp | undefined {
  return instant === 0 ? undefined : timestampFromMs(instant);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
