import { parseTargetKey } from "@capstan/proto";
import type { Reason } from "@capstan/proto/common";
import { splitLane } from "../rollout/facts.ts";
import { isOver } from "../rollout/fold.ts";
import type { LaneKey, RunState } from "../rollout/model.ts";
import { whyCluster } from "../rollout/why.ts";
import { counted, heldReasons, rowReasons, shown, sourceReasons, type Told } from "./explain-reasons.ts";
import { laneReason, objectWords, reason, whyLane } from "./reasons.ts";
import { knownRelease, runRelease } from "./releases.ts";
import type { Seen } from "./seen.ts";

/** Rules that only say whose turn it is: told once of a lane, not of each of its targets. */
const turns: ReadonlySet<string> = new Set(["earlier-stage", "concurrency", "next-step", "failures", "paused"]);

/** Why a rollout waits, or what it left behind. */
export function explainRun(run: RunState, seen: Seen): Told {
  const { plan } = run;
  if (!isOver(run.status)) return explainLane(plan.lane, seen);
  const left = run.clusters.flatMap(({ status, since }, index) => {
    const cluster = run.members[index]?.cluster ?? "";
    if (status.is === "Failed")
      return [reason(cluster, { rule: "failed", message: `${cluster} failed: ${status.message}`, since })];
    if (status.is !== "Deferred") return [];
    return [
      reason(cluster, {
        rule: "offline",
        message: `${cluster} was deferred`,
        since,
        unblock: [`${cluster} connects again`],
      }),
    ];
  });
  const text = seen.text(plan.lane);
  const again = left.length === 0 ? [] : [[`capstan sync ${text}`, "the same content again"] as const];
  return { headline: `${titleOf(run, seen)} is ${run.status.phase}`, reasons: left.slice(0, shown), advice: again };
}

function titleOf(run: RunState, seen: Seen): string {
  const { plan } = run;
  const standing = seen.lane(plan.lane);
  const { commit, subject } = standing === undefined ? plan.cause : runRelease(run, standing);
  const cause = `${commit === "" ? "" : ` ${commit.slice(0, 7)}`}${subject === "" ? "" : ` "${subject}"`}`;
  return `${seen.text(plan.lane)}${cause}`;
}

/** Why a lane does not go on, with the commands that would go on. */
export function explainLane(key: LaneKey, seen: Seen): Told {
  const standing = seen.lane(key);
  const run = standing?.run;
  const first = whyLane(key, seen);
  const going = run !== undefined && !isOver(run.status);
  const failures = going ? failuresOf(run, seen) : [];
  const main = first === undefined ? [] : [first];
  const stopped = going && run.status.phase === "Paused" && run.status.failure;
  if (stopped && first !== undefined) {
    // Told as one thing: what stopped it, what the agents say of that, and what was not touched.
    first.message = seen.plain("reason" in run.status ? run.status.reason : first.message, key);
    first.details.push(...failures.flatMap(({ message, details }) => (details.length === 0 ? [message] : details)));
    first.details.push(...touchedLines(run, seen));
  }
  const apart = stopped ? [] : failures;
  const sources = sourceReasons(splitLane(key).owner, seen);
  const rows = rowReasons(seen.rowsOf(key), seen, [...main, ...failures, ...sources], going ? turns : new Set());
  const held = heldReasons(
    ({ set, target }) => set === splitLane(key).owner || seen.rowsOf(key).some((row) => row.key === target),
    seen,
  );
  const reasons = [...main, ...apart, ...held, ...sources, ...rows];
  return { headline: laneHeadline(key, first, seen), reasons, advice: adviceOf(key, first, seen) };
}

function laneHeadline(key: LaneKey, first: Reason | undefined, seen: Seen): string {
  const standing = seen.lane(key);
  const run = standing?.run;
  const text = seen.text(key);
  if (run !== undefined && !isOver(run.status)) {
    const { status } = run;
    const because = "reason" in status && status.reason !== "" ? `: ${seen.plain(status.reason, key)}` : "";
    return `${titleOf(run, seen)} is ${status.phase.toLowerCase()}${because}`;
  }
  if (first?.rule === "pinned") return first.message;
  if (first !== undefined) return `${text} waits: ${first.message}`;
  const rows = seen.rowsOf(key);
  const refused = rows.filter(({ fault }) => fault !== undefined).length;
  if (refused > 0) return `${text}: ${refused} of ${counted(rows.length, "target")} refused`;
  return `${text} is where Git asks it to be: ${counted(rows.length, "target")}`;
}

/** Failed clusters, each with what its agent says of it. */
function failuresOf(run: RunState, seen: Seen): Reason[] {
  const { lane } = run.plan;
  const found: Reason[] = [];
  for (const [index, { status }] of run.clusters.entries()) {
    const cluster = run.members[index]?.cluster;
    if (status.is !== "Failed" || cluster === undefined || found.length >= shown) continue;
    const waits = whyCluster(run, index, seen.facts(lane));
    if (waits === null) continue;
    const told = laneReason(waits, lane, seen, cluster);
    told.details.push(...troubleLines(run, index, seen));
    found.push(told);
  }
  return found;
}

/** What the agent says of the targets that moved there, and where to look further. */
function troubleLines(run: RunState, index: number, seen: Seen): string[] {
  const member = run.members[index];
  if (member === undefined) return [];
  const reports = seen.world.status.of(member.cluster).targets;
  const lines = new Set<string>();
  for (const { target } of member.moves) {
    const report = reports.get(target)?.report;
    if (report === undefined) continue;
    const look = `   (capstan logs ${target.slice(target.indexOf("/") + 1)})`;
    if (report.healthMessage !== "") lines.add(`${report.healthMessage}${look}`);
    for (const { object, message } of report.problems) {
      lines.add(object === "" ? message : `${objectWords(object)}: ${message}`);
    }
  }
  return [...lines];
}

/** `23 clusters were not touched; the 8 other lanes of team-apps go on`. */
function touchedLines(run: RunState, seen: Seen): string[] {
  const { owner, name } = splitLane(run.plan.lane);
  const touched = touchedBy(run);
  const others = new Set(run.members.map(({ cluster }) => cluster).filter((cluster) => !touched.has(cluster)));
  const lanes = seen.lanes.filter((key) => splitLane(key).owner === owner && splitLane(key).name !== name).length;
  const rest = lanes === 0 ? "" : `; the ${counted(lanes, "other lane")} of ${parseTargetKey(owner).name} go on`;
  return [`${counted(others.size, "cluster")} ${others.size === 1 ? "was" : "were"} not touched${rest}`];
}

function touchedBy(run: RunState): ReadonlySet<string> {
  const touched = run.members.filter((_, at) => (run.clusters[at]?.attempt ?? 0) > 0);
  return new Set(touched.map(({ cluster }) => cluster));
}

/** Commands that would go on, with what each does. */
export function adviceOf(key: LaneKey, first: Reason | undefined, seen: Seen): (readonly [string, string])[] {
  const text = seen.text(key);
  const standing = seen.lane(key);
  const run = standing?.run;
  if (first === undefined || standing === undefined) return [];
  if (first.rule === "pinned") return [[`capstan rollout unpin ${text}`, "Git leads again"]];
  if (["manual-sync", "ended", "left-behind"].includes(first.rule))
    return [[`capstan sync ${text}`, "the release goes out, stage by stage"]];
  if (first.rule === "rebuild") return [["capstan hub rebuild end", "what Git asks beyond what clusters hold goes on"]];
  if (run === undefined || isOver(run.status)) return [];
  const touched = touchedBy(run).size;
  const previous = run.plan.previous === null ? undefined : knownRelease(run.plan.previous, standing);
  const commit =
    previous === undefined ? "what they held" : (previous.commit || previous.id.replace("sha256:", "")).slice(0, 7);
  const back = [
    `capstan rollout rollback ${text}`,
    `back to ${commit} on the ${counted(touched, "touched cluster")}`,
  ] as const;
  if (run.status.phase === "Paused" && run.status.failure) {
    return [
      back,
      [`capstan rollout retry ${text}`, "the same content again, after the cluster was fixed"],
      ["push a fix", "a new rollout supersedes this one"],
    ];
  }
  if (run.status.phase === "Paused") {
    return [[`capstan rollout resume ${text}`, "it goes on"], [`capstan rollout abort ${text}`, "it ends here"], back];
  }
  return touched === 0 ? [] : [back];
}
