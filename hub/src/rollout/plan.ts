import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import type { Assigned, Hash, LaneKey, Move, Plan, PlanInput, Release, ReleaseTarget } from "./model.ts";
import { type ClusterWork, layOut, type Work } from "./stages.ts";

const noLabels: Readonly<Record<string, string>> = {};

/**
 * The frozen plan: which cluster moves in which stage, from which digest to which. Pure, and leaves no choices.
 * Throws `bad-input` when the release names one target twice.
 */
export function plan(input: PlanInput, hash: Hash): Plan {
  const { again = false } = input;
  const places = new Places(input);
  const { targets } = input.release;
  const wanted = indexOf(targets);
  const is = new Array<Digest | null>(targets.length).fill(null);
  // Both lists mostly come in the same order: the place after the last one is tried before the index is asked.
  let next = 0;
  for (const { target, cluster, content } of input.current) {
    const at = targets[next]?.target === target ? next : wanted.get(target);
    const wants = at === undefined ? undefined : targets[at];
    if (at !== undefined) next = at + 1;
    if (at !== undefined && wants?.cluster === cluster) is[at] = content;
    else places.of(cluster)?.removals.push(removalOf(target, content, wants?.cluster));
  }
  const kept: Assigned[] = [];
  let unchanged = 0;
  for (let at = 0; at < targets.length; at += 1) {
    const wants = targets[at] as ReleaseTarget;
    const from = is[at] ?? null;
    const place = places.of(wants.cluster);
    if (place !== undefined && (from !== wants.content || again)) place.changes.push(workOf(wants, from));
    else {
      if (place === undefined) places.unknown(wants.cluster);
      else unchanged += 1;
      kept.push({ target: wants.target, cluster: wants.cluster, content: wants.content });
    }
  }
  const laid = layOut(input.strategy, places.inOrder(), { seed: input.release.id, hash });
  for (const target of laid.unmatched) {
    const at = wanted.get(target) ?? -1;
    const { [at]: wants } = targets;
    const content = is[at] ?? null;
    if (wants !== undefined && content !== null) kept.push({ target, cluster: wants.cluster, content });
  }
  return sealed(input, { ...laid, unchanged, kept, unknown: [...places.strangers].sort() }, hash);
}

/** Where in the release each target stands. A name is unique in the fleet, so a release has it once. */
function indexOf(targets: readonly ReleaseTarget[]): ReadonlyMap<TargetKey, number> {
  const places = new Map<TargetKey, number>();
  for (let at = 0; at < targets.length; at += 1) places.set((targets[at] as ReleaseTarget).target, at);
  if (places.size === targets.length) return places;
  const twice = targets.find(({ target }, at) => places.get(target) !== at);
  const again = targets[places.get(twice?.target ?? ("" as TargetKey)) ?? 0];
  throw new Fault("bad-input", {
    message: `expected each target once in a release, found ${twice?.target} on ${twice?.cluster} and on ${again?.cluster}.`,
    next: "Give each application a name of its own.",
  });
}

interface Place {
  readonly cluster: ClusterId;
  readonly connected: boolean;
  readonly canary: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly changes: Work[];
  readonly removals: Move[];
}

/** The work of each cluster that takes part. */
class Places {
  readonly strangers = new Set<ClusterId>();
  readonly #only: ReadonlySet<ClusterId> | undefined;
  readonly #places = new Map<ClusterId, Place>();
  #last: Place | undefined;

  constructor({ clusters, only }: PlanInput) {
    this.#only = only === undefined ? undefined : new Set(only);
    for (const { id, connected, canary = false, labels = noLabels } of clusters) {
      if (this.#only?.has(id) === false) continue;
      this.#places.set(id, { cluster: id, connected, canary, labels, changes: [], removals: [] });
    }
  }

  /** A release names one cluster's targets one after the other, mostly: the last answer often is the next one. */
  of(cluster: ClusterId): Place | undefined {
    if (this.#last?.cluster !== cluster) this.#last = this.#places.get(cluster);
    return this.#last;
  }

  /** A cluster that the fleet does not know; one that was left out on purpose is none. */
  unknown(cluster: ClusterId): void {
    if (this.#only === undefined || this.#only.has(cluster)) this.strangers.add(cluster);
  }

  inOrder(): readonly ClusterWork[] {
    const places = [...this.#places.values()].filter((place) => place.changes.length + place.removals.length > 0);
    for (const { changes, removals } of places) {
      sortBy(changes, (work) => work.move.target);
      sortBy(removals, (move) => move.target);
    }
    return sortBy(places, (place) => place.cluster);
  }
}

/** In place; what is in order already, as it mostly is, costs one look. */
function sortBy<T>(list: T[], keyOf: (one: T) => string): T[] {
  for (let at = 1; at < list.length; at += 1) {
    if (keyOf(list[at - 1] as T) > keyOf(list[at] as T)) return list.sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  }
  return list;
}

function workOf({ target, content, labels = noLabels, deadlineMs = 0 }: ReleaseTarget, from: Digest | null): Work {
  return { move: { target, from, to: content }, labels, deadlineMs };
}

function removalOf(target: TargetKey, from: Digest, successor: ClusterId | undefined): Move {
  return successor === undefined ? { target, from, to: null } : { target, from, to: null, successor };
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
    kept: laid.kept,
    partial: input.only !== undefined,
    ...(laid.warnings.length === 0 ? {} : { warnings: laid.warnings }),
    ...(input.emergency === undefined ? {} : { emergency: input.emergency }),
    ...head,
    ...frozen,
  };
}

type Laid = Pick<Plan, "stages" | "clusters" | "unmatched" | "unknown" | "unchanged" | "kept"> & {
  readonly warnings: readonly string[];
};
type Hashed = Pick<
  Plan,
  "lane" | "release" | "previous" | "strategy" | "stages" | "clusters" | "unmatched" | "unknown"
>;

/** Over what the plan does, not over who planned it when: planning the same again gives the same hash. */
export function planHash(plan: Hashed, hash: Hash): Digest {
  const { lane, release, previous, strategy, stages, unmatched, unknown } = plan;
  const parts: string[] = [JSON.stringify({ lane, release, previous, strategy, stages, unmatched, unknown })];
  for (const { cluster, stage, deadlineMs, moves } of plan.clusters) {
    // One join of a cluster's words, not one string in another for each: that is what planning would mostly do.
    const words = [`${cluster} ${stage} ${deadlineMs}`];
    let [last] = moves;
    let change = last === undefined ? "" : changeText(last);
    for (const move of moves) {
      if (last === undefined || !isSameChange(last, move)) change = changeText(move);
      last = move;
      words.push("\n", move.target, change);
    }
    // A digest for each cluster keeps the texts small: one of all moves would be tens of megabytes.
    parts.push(hash(words.join("")));
  }
  return hash(parts.join("\n"));
}

/** From what to what, and where it went: its part of the hash. */
function changeText({ from, to, successor }: Move): string {
  return ` ${from} ${to} ${successor ?? ""}`;
}

function isSameChange(a: Move, b: Move): boolean {
  return a.from === b.from && a.to === b.to && a.successor === b.successor;
}

/** The release that a plan brings, whole; undefined where it was planned for some clusters only. */
export function releaseOf(made: Plan): Release | undefined {
  if (made.partial) return undefined;
  const moved = made.clusters.flatMap(({ cluster, moves }) =>
    moves.flatMap(({ target, to }) => (to === null ? [] : [{ target, cluster, content: to }])),
  );
  return { id: made.release, lane: made.lane, cause: made.cause, targets: [...moved, ...made.kept] };
}

/** A release's identity: a digest over its targets' places and contents, whatever order they come in. */
export function releaseId(lane: LaneKey, targets: readonly ReleaseTarget[], hash: Hash): Digest {
  const lines = targets.map(({ target, cluster, content }) => `${target} ${cluster} ${content}`);
  return hash([lane, ...lines.sort()].join("\n"));
}
