import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, Fault, parseTargetKey } from "@capstan/proto";
import { type Advice, AdviceSchema, type ExplainResponse, ExplainResponseSchema } from "@capstan/proto/application";
import type { Reason } from "@capstan/proto/common";
import { splitLane } from "../rollout/facts.ts";
import { isOver } from "../rollout/fold.ts";
import { type LaneKey, parseRunId, type RunState } from "../rollout/model.ts";
import { whyCluster } from "../rollout/why.ts";
import { healthOf, syncOf } from "../status/count.ts";
import { ambiguous, lanesNamed, ownersNamed, rowsNamed, targetsMeant } from "./names.ts";
import { approveCommand, laneReason, objectWords, reason, whyLane, whyTarget } from "./reasons.ts";
import { knownRelease, runRelease } from "./releases.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { placeText } from "./target-views.ts";

/** Reasons of single targets that one answer lists. */
const shown = 20;
/** Rules that only say whose turn it is: told once of a lane, not of each of its targets. */
const turns: ReadonlySet<string> = new Set(["earlier-stage", "concurrency", "next-step", "failures", "paused"]);

/** Why something waits: never empty for what is not as it should be. Throws `not-found`, `bad-input` for a name of several. */
export function explain(subject: string, cluster: string, seen: Seen): ExplainResponse {
  const told = cluster === "" ? bySubject(subject, seen) : ofTargets(targetsMeant(subject, cluster, seen), seen);
  return create(ExplainResponseSchema, {
    headline: told.headline,
    reasons: [...told.reasons],
    advice: told.advice.map(([command, effect]): Advice => create(AdviceSchema, { command, effect })),
    asOf: timestampFromMs(seen.world.clock.now()),
  });
}

interface Told {
  readonly headline: string;
  readonly reasons: readonly Reason[];
  /** Command and effect. */
  readonly advice: readonly (readonly [string, string])[];
}

function bySubject(subject: string, seen: Seen): Told {
  const [kind = "", rest] = subject.split(/\/(.*)/s);
  const named = rest !== undefined && ["lane", "set", "target", "cluster", "rollout"].includes(kind);
  const found = meanings(subject, seen);
  const all = found.length === 0 && named ? meanings(rest, seen).filter((each) => each.kind === kind) : found;
  const [only] = all;
  if (only === undefined) {
    throw new Fault("not-found", {
      message: `no set, lane, target, cluster or rollout is called ${subject}.`,
      next: "See: capstan get sets, targets, clusters, rollouts",
    });
  }
  if (all.length > 1)
    throw ambiguous(
      subject,
      "things",
      all.map(({ kind: of, name }) => `${of}/${name}`),
    );
  return only.told();
}

interface Meaning {
  readonly kind: string;
  readonly name: string;
  told(): Told;
}

function meanings(subject: string, seen: Seen): readonly Meaning[] {
  const run = /^[a-z0-9][a-z0-9-]{0,99}$/.test(subject) ? runNamed(subject, seen) : undefined;
  if (run !== undefined) return [{ kind: "rollout", name: subject, told: () => ofRun(run, seen) }];
  const lanes = lanesNamed(subject, seen);
  const { namespace, name } = subject.includes("/") ? safeKey(subject) : { namespace: "", name: subject };
  const sets = ownersNamed(namespace, name, seen.owners()).filter((owner) => !seen.standalone.has(owner));
  // A set of one lane, and the lane that has its name, are one thing to people.
  const own = lanes.filter((key) => sets.includes(splitLane(key).owner));
  const lone = own.filter(
    (key) => seen.lanes.filter((each) => splitLane(each).owner === splitLane(key).owner).length === 1,
  );
  const hidden = new Set(lone.map((key) => splitLane(key).owner));
  const rows = rowsNamed(subject, seen.rows).filter((row) => !lanes.includes(row.laneKey));
  const targets = new Map(rows.map((row) => [row.key, rows.filter(({ key }) => key === row.key)] as const));
  const cluster = subject as ClusterId;
  return [
    ...lanes
      .filter((key) => !own.includes(key) || lone.includes(key))
      .map((key) => ({ kind: "lane", name: seen.text(key), told: () => ofLane(key, seen) })),
    ...sets
      .filter((owner) => !hidden.has(owner))
      .map((owner) => ({ kind: "set", name: owner, told: () => ofSet(owner, seen) })),
    ...[...targets].map(([key, mine]) => ({ kind: "target", name: key, told: () => ofTargets(mine, seen) })),
    ...(seen.world.clusters.record(cluster) === undefined && seen.world.clusters.get(cluster) === undefined
      ? []
      : [{ kind: "cluster", name: subject, told: () => ofCluster(cluster, seen) }]),
  ];
}

function safeKey(text: string): { readonly namespace: string; readonly name: string } {
  try {
    return parseTargetKey(text);
  } catch {
    return { namespace: "", name: text };
  }
}

function runNamed(id: string, seen: Seen): RunState | undefined {
  const key = seen.world.rollouts.laneOf(parseRunId(id));
  const standing = key === undefined ? undefined : seen.lane(key);
  return [standing?.run, ...(standing?.past ?? [])].find((run) => run?.plan.run === id);
}

function ofRun(run: RunState, seen: Seen): Told {
  const { plan } = run;
  if (!isOver(run.status)) return ofLane(plan.lane, seen);
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

function ofLane(key: LaneKey, seen: Seen): Told {
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
  const rows = rowReasons(seen.rowsOf(key), seen, [...main, ...failures], going ? turns : new Set());
  const held = heldReasons(
    ({ set, target }) => set === splitLane(key).owner || seen.rowsOf(key).some((row) => row.key === target),
    seen,
  );
  const reasons = [...main, ...apart, ...held, ...rows];
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
  return `${text} is where Git asks it to be: ${rows.length} ${rows.length === 1 ? "target" : "targets"}`;
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
  const touched = new Set(
    run.members.filter((_, at) => (run.clusters[at]?.attempt ?? 0) > 0).map(({ cluster }) => cluster),
  );
  const others = new Set(run.members.map(({ cluster }) => cluster).filter((cluster) => !touched.has(cluster)));
  const lanes = seen.lanes.filter((key) => splitLane(key).owner === owner && splitLane(key).name !== name).length;
  const rest =
    lanes === 0 ? "" : `; the ${lanes} other ${lanes === 1 ? "lane" : "lanes"} of ${parseTargetKey(owner).name} go on`;
  return [`${others.size} ${others.size === 1 ? "cluster was" : "clusters were"} not touched${rest}`];
}

function rowReasons(
  rows: readonly Row[],
  seen: Seen,
  told: readonly Reason[],
  taken: ReadonlySet<string> = new Set(),
): Reason[] {
  const found: Reason[] = [];
  const messages = new Set(told.flatMap(({ message, details }) => [message, ...details]));
  for (const row of rows) {
    if (found.length >= shown) break;
    const status = seen.world.status.of(row.cluster).targets.get(row.key);
    const waits = whyTarget(row, status, seen);
    if (waits === undefined || taken.has(waits.rule)) continue;
    // What is told already, of this target or of one like it, is not told again.
    if ([...messages].some((message) => message.includes(waits.message))) continue;
    messages.add(waits.message);
    found.push(waits);
  }
  return found;
}

function heldReasons(
  concerns: (one: { readonly set: string | null; readonly target: string; readonly cluster: string }) => boolean,
  { world }: Seen,
): Reason[] {
  return world.guard
    .lists()
    .filter(({ list }) => list.some(concerns))
    .map(({ digest, rules, list, scope }) =>
      reason(scope, {
        rule: "held-delete-guard",
        message: `${list.length} removals are held: ${rules.map(({ text }) => text).join("; ")}`,
        unblock: [approveCommand(digest)],
        details: list.slice(0, 10).map(({ target, cluster }) => `${target} on ${cluster}`),
      }),
    );
}

function adviceOf(key: LaneKey, first: Reason | undefined, seen: Seen): (readonly [string, string])[] {
  const text = seen.text(key);
  const standing = seen.lane(key);
  const run = standing?.run;
  if (first === undefined || standing === undefined) return [];
  if (first.rule === "pinned") return [[`capstan rollout unpin ${text}`, "Git leads again"]];
  if (["manual-sync", "ended", "left-behind"].includes(first.rule))
    return [[`capstan sync ${text}`, "the release goes out, stage by stage"]];
  if (first.rule === "rebuild") return [["capstan hub rebuild end", "what Git asks beyond what clusters hold goes on"]];
  if (run === undefined || isOver(run.status)) return [];
  const touched = new Set(
    run.members.filter((_, at) => (run.clusters[at]?.attempt ?? 0) > 0).map(({ cluster }) => cluster),
  ).size;
  const previous = run.plan.previous === null ? undefined : knownRelease(run.plan.previous, standing);
  const commit =
    previous === undefined ? "what they held" : (previous.commit || previous.id.replace("sha256:", "")).slice(0, 7);
  const clusters = `${touched} touched ${touched === 1 ? "cluster" : "clusters"}`;
  const back = [`capstan rollout rollback ${text}`, `back to ${commit} on the ${clusters}`] as const;
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

function ofSet(owner: string, seen: Seen): Told {
  const lanes = seen.lanes.filter((key) => splitLane(key).owner === owner);
  const rows = lanes.flatMap((key) => seen.rowsOf(key));
  const state = seen.world.releases.state(owner);
  const reasons: Reason[] = [];
  if (state === undefined) {
    const known = seen.world.documents.registry.get(`ApplicationSet/${owner}`) !== undefined;
    const message = known ? "it is being worked out: a repository is fetched for the first time" : "it was deleted";
    if (known || rows.length > 0) reasons.push(reason(owner, { rule: known ? "fetching" : "deleted", message }));
  }
  for (const fault of state?.faults ?? []) {
    const unblock = fault.next === undefined ? [] : [fault.next];
    const generator = fault.where.generator;
    reasons.push(reason(generator ?? owner, { rule: fault.code, message: fault.message, unblock }));
  }
  for (const { type, status, message } of state?.conditions ?? []) {
    if (type !== "ErrorOccurred" || status !== "True" || (state?.faults.length ?? 0) > 0) continue;
    reasons.push(reason(owner, { rule: "error-occurred", message }));
  }
  for (const key of lanes) {
    const found = whyLane(key, seen);
    if (found !== undefined) reasons.push(found);
  }
  reasons.push(...heldReasons(({ set }) => set === owner, seen));
  reasons.push(...rowReasons(rows, seen, reasons));
  const words = `${lanes.length} ${lanes.length === 1 ? "lane" : "lanes"}, ${rows.length} ${rows.length === 1 ? "target" : "targets"}`;
  const waits =
    reasons.length === 0
      ? "nothing waits"
      : `${reasons.length} ${reasons.length === 1 ? "thing" : "things"} to look at`;
  return { headline: `${parseTargetKey(owner).name}: ${words}; ${waits}`, reasons, advice: [] };
}

function ofTargets(rows: readonly Row[], seen: Seen): Told {
  const reasons = rows.flatMap((row) => {
    const found = whyTarget(row, seen.world.status.of(row.cluster).targets.get(row.key), seen);
    return found === undefined ? [] : [found];
  });
  const held = heldReasons(
    ({ target, cluster }) => rows.some((row) => row.key === target && row.cluster === cluster),
    seen,
  );
  const lanes = new Set(rows.map((row) => row.laneKey));
  const moving = rows.some((row) => row.fault === undefined && row.wanted?.content !== row.held);
  const advice = moving ? [...lanes].flatMap((key) => adviceOf(key, whyLane(key, seen), seen)) : [];
  return { headline: rows.map((row) => targetLine(row, seen)).join("; "), reasons: [...reasons, ...held], advice };
}

function targetLine(row: Row, { world }: Seen): string {
  const status = world.status.of(row.cluster).targets.get(row.key);
  const release = row.desired?.release ?? row.wantedRelease;
  const cause = release === undefined ? "" : ` ${release.commit.slice(0, 7)} "${release.subject}"`;
  if (row.desired === undefined) return `${placeText(row)}${cause} is not there yet`;
  const words = `${healthOf(status)}, ${syncOf(status, row.desired.generation)}`;
  return `${placeText(row)}${cause} is ${row.wanted === undefined ? `to leave (${words})` : words}`;
}

function ofCluster(id: ClusterId, seen: Seen): Told {
  const { world } = seen;
  const rows = seen.rows.filter((row) => row.cluster === id);
  const record = world.clusters.record(id);
  const connected = world.live.isConnected(id);
  const reasons: Reason[] = [];
  const advice: (readonly [string, string])[] = [];
  let state = connected ? "connected" : "offline; it holds course on its own";
  if (world.desk.isRevoked(id)) {
    state = "revoked: it is cut off, and keeps what it runs";
    reasons.push(
      reason(id, {
        rule: "revoked",
        message: `${id} was revoked`,
        unblock: [`capstan cluster add ${id}, and let it join anew`],
      }),
    );
  } else if (record?.claimed !== undefined) {
    state = "claimed by another Kubernetes cluster";
    reasons.push(
      reason(id, {
        rule: "wrong-incarnation",
        message: `an agent calls itself ${id} from kube-system UID ${record.claimed}`,
      }),
    );
    advice.push([`capstan cluster admit ${id}`, "that cluster is the one from now on"]);
  } else if (world.clusters.get(id) === undefined) {
    state = "unknown: no document and nobody names it";
    reasons.push(reason(id, { rule: "not-admitted", message: `${id} keeps what it runs and gets nothing new` }));
    advice.push([`capstan cluster admit ${id}`, "it belongs to the fleet"]);
  } else if (record?.enrolment === undefined) {
    state = "pending: its agent has not joined yet";
    reasons.push(reason(id, { rule: "not-joined", message: `${id} has not joined yet` }));
    advice.push([`capstan cluster add ${id}`, "a new join token"]);
  } else if (!connected) {
    const since = world.status.of(id).lastSeen;
    reasons.push(
      reason(id, { rule: "offline", message: `${id} is not connected`, since, unblock: ["its agent connects again"] }),
    );
  }
  const skew = world.live.skew(id);
  if (skew !== undefined)
    reasons.push(reason(id, { rule: skew.code, message: skew.message, unblock: [skew.next ?? ""] }));
  const refused = world.status.of(id).refused;
  if (refused !== undefined)
    reasons.push(reason(id, { rule: refused.code, message: refused.message, unblock: [refused.next] }));
  if (world.clusters.get(id)?.cordoned === true) {
    reasons.push(reason(id, { rule: "cordoned", message: `${id} is cordoned: new rollouts do not go there` }));
    advice.push([`capstan cluster uncordon ${id}`, "new rollouts go there again"]);
  }
  reasons.push(...heldReasons(({ cluster }) => cluster === id, seen));
  reasons.push(...rowReasons(rows, seen, reasons));
  return { headline: `${id} is ${state}; ${rows.length} ${rows.length === 1 ? "target" : "targets"}`, reasons, advice };
}
