import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { OwnerState } from "../releases/model.ts";
import type { Seen } from "./seen.ts";
import { within } from "./within.ts";

/** How long looking at one set may take, in milliseconds. */
const lookAhead = 10_000;

/**
 * What other labels of a cluster would move: one line a target, each set worked out beside what it is. Labels change only
 * the keys that are named; an empty value removes one.
 */
export async function labelEffects(
  id: ClusterId,
  labels: Readonly<Record<string, string>>,
  { world }: Seen,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const before = world.clusters.get(id);
  if (before === undefined || Object.keys(labels).length === 0) return [];
  const changed: Cluster = { ...before, labels: withLabels(before.labels, labels) };
  const effects: string[] = [];
  for (const state of [...world.releases.states()].filter(({ kind }) => kind === "ApplicationSet")) {
    const request = { owner: state.owner, changed, wanted: (_key: TargetKey, cluster: ClusterId) => cluster === id };
    const { targets, complete } = await within(world.clock, { ms: lookAhead, signal }, (stop) =>
      world.releases.preview(request, stop),
    );
    const now = contentsOf(state);
    const then = new Map<string, Digest | undefined>();
    for (const { target, content } of targets) then.set(`${target.key} on ${target.cluster}`, content);
    for (const [place, content] of then) {
      if (!now.has(place)) effects.push(`${place} is added`);
      else if (content !== undefined && content !== now.get(place)) effects.push(`${place} changes`);
    }
    if (complete)
      effects.push(...[...now.keys()].filter((place) => !then.has(place)).map((place) => `${place} is removed`));
  }
  return effects.sort();
}

function contentsOf({ targets, lanes }: OwnerState): ReadonlyMap<string, Digest | undefined> {
  const contents = new Map<string, Digest | undefined>();
  for (const { key, cluster } of targets.values()) contents.set(`${key} on ${cluster}`, undefined);
  for (const { release } of lanes) {
    for (const { target, cluster, content } of release.targets) {
      if (contents.has(`${target} on ${cluster}`)) contents.set(`${target} on ${cluster}`, content);
    }
  }
  return contents;
}

function withLabels(
  before: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ""));
}
