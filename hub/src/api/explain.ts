import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type ClusterId, Fault, parseTargetKey } from "@capstan/proto";
import { type Advice, AdviceSchema, type ExplainResponse, ExplainResponseSchema } from "@capstan/proto/application";
import type { Reason } from "@capstan/proto/common";
import { splitLane } from "../rollout/facts.ts";
import { parseRunId, type RunState } from "../rollout/model.ts";
import { healthOf, syncOf } from "../status/count.ts";
import { explainCluster } from "./explain-cluster.ts";
import { adviceOf, explainLane, explainRun } from "./explain-lane.ts";
import { counted, heldReasons, rowReasons, sourceReasons, type Told } from "./explain-reasons.ts";
import { ambiguous, lanesNamed, ownersNamed, rowsNamed, targetsMeant } from "./names.ts";
import { faultReason, reason, whyLane, whyTarget } from "./reasons.ts";
import type { Row } from "./rows.ts";
import type { Seen } from "./seen.ts";
import { placeText } from "./target-views.ts";

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
  if (run !== undefined) return [{ kind: "rollout", name: subject, told: () => explainRun(run, seen) }];
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
      .map((key) => ({ kind: "lane", name: seen.text(key), told: () => explainLane(key, seen) })),
    ...sets
      .filter((owner) => !hidden.has(owner))
      .map((owner) => ({ kind: "set", name: owner, told: () => ofSet(owner, seen) })),
    ...[...targets].map(([key, mine]) => ({ kind: "target", name: key, told: () => ofTargets(mine, seen) })),
    ...(seen.world.clusters.record(cluster) === undefined && seen.world.clusters.get(cluster) === undefined
      ? []
      : [{ kind: "cluster", name: subject, told: () => explainCluster(cluster, seen) }]),
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
  for (const fault of state?.faults ?? []) reasons.push(faultReason(fault.where.generator ?? owner, fault));
  for (const { type, status, message } of state?.conditions ?? []) {
    if (type !== "ErrorOccurred" || status !== "True" || (state?.faults.length ?? 0) > 0) continue;
    reasons.push(reason(owner, { rule: "error-occurred", message }));
  }
  reasons.push(...sourceReasons(owner, seen));
  for (const key of lanes) {
    const found = whyLane(key, seen);
    if (found !== undefined) reasons.push(found);
  }
  reasons.push(...heldReasons(({ set }) => set === owner, seen));
  reasons.push(...rowReasons(rows, seen, reasons));
  const words = `${counted(lanes.length, "lane")}, ${counted(rows.length, "target")}`;
  const waits = reasons.length === 0 ? "nothing waits" : `${counted(reasons.length, "thing")} to look at`;
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
