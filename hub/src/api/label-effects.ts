import type { ClusterId } from "@capstan/proto";
import type { Cluster } from "../clusters/model.ts";
import type { Seen } from "./seen.ts";

/** How long looking ahead may take, in milliseconds. */
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
  const stop = AbortSignal.any([signal, AbortSignal.timeout(lookAhead)]);
  const effects: string[] = [];
  for (const state of [...world.releases.states()].filter(({ kind }) => kind === "ApplicationSet")) {
    const request = { owner: state.owner, changed, wanted: () => false };
    const { targets, complete } = await world.releases.preview(request, stop);
    const now = new Set([...state.targets.values()].map(({ key, cluster }) => `${key} on ${cluster}`));
    const then = new Set(targets.map(({ target }) => `${target.key} on ${target.cluster}`));
    effects.push(...[...then].filter((place) => !now.has(place)).map((place) => `${place} is added`));
    if (complete) effects.push(...[...now].filter((place) => !then.has(place)).map((place) => `${place} is removed`));
  }
  return effects.sort();
}

function withLabels(
  before: Readonly<Record<string, string>>,
  change: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries({ ...before, ...change }).filter(([, value]) => value !== ""));
}
