import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Fault, type Instant, whereText } from "@capstan/proto";
import { Phase, Sync } from "@capstan/proto/agent";
import { type Reason, ReasonSchema } from "@capstan/proto/common";
import { Mode } from "@capstan/proto/desired";
import { splitLane } from "../rollout/facts.ts";
import { isOver } from "../rollout/fold.ts";
import type { LaneKey, Pin, Reason as RolloutReason } from "../rollout/model.ts";
import { whyCluster } from "../rollout/why.ts";
import type { TargetStatus } from "../status/model.ts";
import type { LaneStanding } from "./port.ts";
import { knownRelease } from "./releases.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";

/** A reason made here. */
export interface Told {
  readonly rule: string;
  readonly message: string;
  readonly since?: Instant | undefined;
  readonly unblock?: readonly string[];
  readonly details?: readonly string[];
}

/** A reason as it crosses the wire. */
export function reason(subject: string, { rule, message, since, unblock = [], details = [] }: Told): Reason {
  return create(ReasonSchema, {
    rule,
    message,
    ...(since === undefined || since === 0 ? {} : { since: timestampFromMs(since) }),
    unblock: unblock.filter((each) => each !== ""),
    subject,
    details: [...details],
  });
}

/** A fault as a reason, with the place where a person mends it: what the subject says already is left out. */
export function faultReason(subject: string, fault: Fault, more: Partial<Told> = {}): Reason {
  const { target: _target, cluster: _cluster, set: _set, generator: _generator, ...where } = fault.where;
  const place = whereText(where);
  return reason(subject, {
    rule: fault.code,
    message: fault.message,
    unblock: fault.next === undefined ? [] : [fault.next],
    details: place === "" ? [] : [`at ${place}`],
    ...more,
  });
}

/** A rollout's reason, with the lane as people name it. */
export function laneReason(found: RolloutReason, key: LaneKey, seen: Seen, subject = seen.text(key)): Reason {
  const approvals = found.rule === "held-delete-guard" ? approvalsOf(key, seen) : [];
  return reason(subject, {
    rule: found.rule,
    message: seen.plain(found.text, key),
    since: found.since,
    unblock: approvals.length > 0 ? approvals : [seen.plain(found.unblock, key)],
  });
}

/** The commands that approve what the guard holds of a lane. */
function approvalsOf(key: LaneKey, seen: Seen): string[] {
  const { owner } = splitLane(key);
  const mine = new Set(seen.rowsOf(key).map((row) => row.key));
  return seen.world.guard
    .lists()
    .filter(({ list }) => list.some(({ set, target }) => set === owner || mine.has(target)))
    .map(({ digest }) => approveCommand(digest));
}

/** How a held list is approved, once it was looked at. */
export function approveCommand(digest: string): string {
  return `capstan deletion approve ${digest} --reason TEXT, after capstan deletion show ${digest}`;
}

/** Why a lane as a whole does not go on; undefined: nothing waits. Never empty for what Git asks and nothing moves. */
export function whyLane(key: LaneKey, seen: Seen): Reason | undefined {
  const standing = seen.lane(key);
  if (standing === undefined) return undefined;
  if (standing.reason?.rule === "pinned" && standing.pin !== undefined) return pinReason(standing.pin, standing, seen);
  if (standing.reason !== null) return laneReason(standing.reason, key, seen);
  const since = seen.world.rebuildingSince();
  const behind = seen.rowsOf(key).some((row) => row.wanted?.content !== row.held);
  if (!behind) return undefined;
  const text = seen.text(key);
  if (since !== undefined) {
    return reason(text, {
      rule: "rebuild",
      message: "the store was lost, and what Git asks beyond what clusters hold waits for a person",
      since,
      unblock: ["capstan hub rebuild end, after looking at what would change"],
    });
  }
  const { wanted, run } = standing;
  if (wanted === undefined) return undefined;
  const ended = run !== undefined && isOver(run.status) && run.plan.release === wanted.release.id;
  if (ended && !run.status.phase.startsWith("Succeeded") && run.status.phase !== "Superseded") {
    return reason(text, {
      rule: "ended",
      message: `the last rollout of this release is ${run.status.phase}; the same content is not tried again by itself`,
      since: run.endedAt ?? run.since,
      unblock: [`capstan sync ${text}`, "push a fix"],
    });
  }
  if (!wanted.automated) {
    return reason(text, {
      rule: "manual-sync",
      message: `${text} has no automated sync: its release goes out when a person says so`,
      unblock: [`capstan sync ${text}`],
    });
  }
  if (ended) {
    const left = run.clusters.filter(({ status }) => status.is === "Deferred" || status.is === "Failed").length;
    return reason(text, {
      rule: "left-behind",
      message: `the last rollout ended without ${left} of its clusters (failed or deferred)`,
      since: run.endedAt ?? run.since,
      unblock: ["deferred clusters catch up when they connect", `capstan sync ${text}`],
    });
  }
  return reason(text, {
    rule: "next-step",
    message: `${text} is about to move`,
    unblock: ["nothing: it follows at once"],
  });
}

function pinReason({ lane, release, by, reason: because, at }: Pin, standing: LaneStanding, seen: Seen): Reason {
  const text = seen.text(lane);
  const { commit, subject, id } = knownRelease(release, standing);
  const named = `${commit === "" ? id.replace("sha256:", "").slice(0, 7) : commit.slice(0, 7)}${subject === "" ? "" : ` "${subject}"`}`;
  return reason(text, {
    rule: "pinned",
    message: `${text} is pinned to ${named} by ${by}${because === "" ? "" : ` (${because})`}`,
    since: at,
    unblock: [`capstan rollout unpin ${text}`],
  });
}

/** Why one target is not as it should be; undefined: nothing is waited for. */
export function whyTarget(row: Row, status: TargetStatus | undefined, seen: Seen): Reason | undefined {
  const subject = row.cluster === "" ? row.key : `${row.key} on ${row.cluster}`;
  if (row.fault !== undefined) return faultReason(subject, row.fault);
  return cut(row, subject, seen) ?? moving(row, subject, seen) ?? delivered(row, status, subject, seen);
}

/** Nothing reaches a cluster that is not there; what waits for it then waits for that first. */
function cut(row: Row, subject: string, { world }: Seen): Reason | undefined {
  const held = world.desired.held(row.cluster);
  const status = world.status.of(row.cluster);
  const behind =
    row.wanted?.content !== row.held || (row.desired !== undefined && status.heldRevision < row.desired.generation);
  if (!behind || world.live.isConnected(row.cluster)) return undefined;
  if (world.clusters.record(row.cluster)?.enrolment === undefined && held === undefined) {
    return reason(subject, {
      rule: "not-joined",
      message: `${row.cluster} has not joined yet`,
      unblock: [`capstan cluster add ${row.cluster}, and let its agent join`],
    });
  }
  return reason(subject, {
    rule: "offline",
    message: `${row.cluster} is not connected; it holds course on its own`,
    since: status.lastSeen,
    unblock: [`${row.cluster} connects again; it then catches up by itself`],
  });
}

function moving(row: Row, subject: string, seen: Seen): Reason | undefined {
  if (row.wanted?.content === row.held) return undefined;
  const run = seen.lane(row.laneKey)?.run;
  if (run !== undefined && !isOver(run.status)) {
    for (const index of seen.membersOn(row.laneKey, row.cluster)) {
      const found = whyCluster(run, index, seen.facts(row.laneKey));
      if (found !== null) return laneReason(found, row.laneKey, seen, subject);
    }
  }
  return whyLane(row.laneKey, seen);
}

function delivered(row: Row, status: TargetStatus | undefined, subject: string, { world }: Seen): Reason | undefined {
  const { desired } = row;
  if (desired === undefined) return undefined;
  const generation = status?.report.generation ?? 0n;
  if (status === undefined || generation < desired.generation) {
    const refused = world.status.of(row.cluster).refused;
    const told = refused === undefined ? "" : `: ${refused.message}`;
    return reason(subject, {
      rule: "acknowledgement",
      message: `${row.cluster} has not taken generation ${desired.generation} yet${told}`,
      since: world.status.of(row.cluster).lastSeen,
      unblock: ["the agent reports it"],
    });
  }
  const { report, reportedAt, healthSince } = status;
  const [problem] = report.problems;
  const details = report.problems.map(({ object, message }) => (object === "" ? message : `${object}: ${message}`));
  const next = problem === undefined || problem.next === "" ? [] : [problem.next];
  if (report.phase === Phase.WAITING || report.sync === Sync.WAITING) {
    return reason(subject, {
      rule: problem?.code || (desired.mode === Mode.OBSERVE ? "observed" : "agent-holds"),
      message: problem?.message || held(desired.mode),
      since: reportedAt,
      unblock: next,
      details,
    });
  }
  if (report.phase === Phase.FAILED || report.phase === Phase.ROLLED_BACK) {
    const word = report.phase === Phase.FAILED ? "could not be applied" : "went back by the agent's own decision";
    return reason(subject, {
      rule: problem?.code || "failed",
      message: `it ${word}: ${problem?.message || report.healthMessage || "no cause was told"}`,
      since: reportedAt,
      unblock: [...next, "push a fix"],
      details,
    });
  }
  if (report.sync === Sync.DRIFTED) {
    return reason(subject, {
      rule: "drifted",
      message: driftText(status),
      since: reportedAt,
      unblock: [desired.policy?.selfHeal === true ? "self-heal puts it back" : `capstan sync ${row.key} puts it back`],
      details: report.drift.map(
        ({ object, path, manager }) => `${object}: ${path} changed by ${manager || "somebody"}`,
      ),
    });
  }
  if (report.health > 1 && report.healthMessage !== "") {
    return reason(subject, { rule: "health", message: report.healthMessage, since: healthSince, details });
  }
  return undefined;
}

function held(mode: Mode): string {
  return mode === Mode.OBSERVE ? "it is observed only: nothing is written (mode Observe)" : "the agent holds it";
}

/** `ConfigMap grafana: data.grafana.ini changed by kubectl-edit; self-heal is off`. */
export function driftText({ report }: TargetStatus): string {
  const [first] = report.drift;
  const more = report.drift.length > 1 ? ` and ${report.drift.length - 1} more` : "";
  if (first === undefined) return `${report.counts?.drifted ?? 0} objects differ from their bundle`;
  return `${objectWords(first.object)}: ${pathWords(first.path)} changed by ${first.manager || "somebody"}${more}`;
}

/** `apps/Deployment/web/shop` as `Deployment shop`. */
export function objectWords(object: string): string {
  const parts = object.split("/");
  return parts.length < 4 ? object : `${parts.at(-3) ?? ""} ${parts.at(-1) ?? ""}`;
}

/** A JSON pointer as people read a path. */
function pathWords(pointer: string): string {
  return pointer
    .replace(/^\//, "")
    .split("/")
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"))
    .join(".");
}
