import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import type { Hash, LaneKey, Move, Plan, PlanInput, ReleaseTarget } from "./model.ts";
import { type ClusterWork, layOut, type Work } from "./stages.ts";

const noLabels: Readonly<Record<string, string>> = {};

/**
 * The frozen plan: which cluster moves in which stage, from which digest to which. Pure, and leaves no choices.
 * Throws `bad-input` when the release names one target twice.
 */
export function plan(input: PlanInput, hash: Hash): Plan {
  const only = input.only === undefined ? undefined : new Set(input.only);
  const fleet = new Map(input.clusters.map((one) => [one.id, one]));
  const unknown = new Set<ClusterId>();
  const wanted = byCluster(input.release.targets, (cluster) => {
    if (!fleet.has(cluster)) unknown.add(cluster);
    return fleet.has(cluster) && (only?.has(cluster) ?? true);
  });
  const current = byCluster(input.current, (cluster) => fleet.has(cluster) && (only?.has(cluster) ?? true));
  const where = placesOf(input.release.targets);
  const names = [...new Set([...wanted.keys(), ...current.keys()])].sort();
  let unchanged = 0;
  const work = names.map((cluster): ClusterWork => {
    const is = current.get(cluster);
    const shall = wanted.get(cluster);
    const changes = changesOf(shall, is, input.again === true);
    unchanged += (shall?.size ?? 0) - changes.length;
    const seen = fleet.get(cluster);
    const removals = removalsOf(shall, is, where);
    return { cluster, connected: seen?.connected === true, canary: seen?.canary === true, changes, removals };
  });
  return sealed(input, { ...layOut(input.strategy, work), unchanged, unknown: [...unknown].sort() }, hash);
}

function sealed(input: PlanInput, laid: Laid, hash: Hash): Plan {
  const { run, origin, actor, reason, release, previous, strategy } = input;
  const head = { lane: release.lane, release: release.id, previous, strategy };
  const frozen = { stages: laid.stages, clusters: laid.clusters, unmatched: laid.unmatched, unknown: laid.unknown };
  return {
    hash: planHash({ ...head, ...frozen }, hash),
    run,
    origin,
    plannedAt: input.now,
    actor,
    reason,
    cause: release.cause,
    unchanged: laid.unchanged,
    ...head,
    ...frozen,
  };
}

type Laid = Pick<Plan, "stages" | "clusters" | "unmatched" | "unknown" | "unchanged">;
type Hashed = Pick<
  Plan,
  "lane" | "release" | "previous" | "strategy" | "stages" | "clusters" | "unmatched" | "unknown"
>;

/** Over what the plan does, not over who planned it when: planning the same again gives the same hash. */
export function planHash(plan: Hashed, hash: Hash): Digest {
  const { lane, release, previous, strategy, stages, unmatched, unknown } = plan;
  const lines = [JSON.stringify({ lane, release, previous, strategy, stages, unmatched, unknown })];
  for (const { cluster, stage, deadlineMs, moves } of plan.clusters) {
    lines.push(`${cluster} ${stage} ${deadlineMs}`);
    for (const { target, from, to, successor } of moves) lines.push(`${target} ${from} ${to} ${successor ?? ""}`);
  }
  return hash(lines.join("\n"));
}

/** A release's identity: a digest over its targets' places and contents, whatever order they come in. */
export function releaseId(lane: LaneKey, targets: readonly ReleaseTarget[], hash: Hash): Digest {
  const lines = targets.map(({ target, cluster, content }) => `${target} ${cluster} ${content}`);
  return hash([lane, ...lines.sort()].join("\n"));
}

function byCluster<T extends { readonly target: TargetKey; readonly cluster: ClusterId }>(
  list: readonly T[],
  keep: (cluster: ClusterId) => boolean,
): Map<ClusterId, Map<TargetKey, T>> {
  const found = new Map<ClusterId, Map<TargetKey, T>>();
  for (const one of list) {
    if (!keep(one.cluster)) continue;
    const there = found.get(one.cluster);
    if (there === undefined) found.set(one.cluster, new Map([[one.target, one]]));
    else there.set(one.target, one);
  }
  return found;
}

/** Where the release wants each target; a name is unique in the fleet. */
function placesOf(targets: readonly ReleaseTarget[]): ReadonlyMap<TargetKey, ClusterId> {
  const places = new Map<TargetKey, ClusterId>();
  for (const { target, cluster } of targets) {
    const other = places.get(target);
    if (other !== undefined) {
      throw new Fault("bad-input", {
        message: `expected each target once in a release, found ${target} on ${other} and on ${cluster}.`,
        where: { target },
        next: "Give each application a name of its own.",
      });
    }
    places.set(target, cluster);
  }
  return places;
}

type Held = ReadonlyMap<TargetKey, { readonly content: Digest }> | undefined;

function changesOf(shall: ReadonlyMap<TargetKey, ReleaseTarget> | undefined, is: Held, again: boolean): Work[] {
  const changes: Work[] = [];
  for (const { target, content, labels = noLabels, deadlineMs = 0 } of shall?.values() ?? []) {
    const from = is?.get(target)?.content ?? null;
    if (from !== content || again) changes.push({ move: { target, from, to: content }, labels, deadlineMs });
  }
  return changes.sort((a, b) => (a.move.target < b.move.target ? -1 : 1));
}

function removalsOf(shall: Held, is: Held, where: ReadonlyMap<TargetKey, ClusterId>): Move[] {
  const removals: Move[] = [];
  for (const [target, { content }] of is ?? []) {
    if (shall?.has(target)) continue;
    const successor = where.get(target);
    const move = { target, from: content, to: null };
    removals.push(successor === undefined ? move : { ...move, successor });
  }
  return removals.sort((a, b) => (a.target < b.target ? -1 : 1));
}
