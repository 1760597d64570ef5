import type { Files } from "../world/repository.ts";
import type { SimulatedAgents } from "../world/simulated-agents.ts";
import type { Behaviour } from "../world/simulated-agents-agent.ts";
import { notYet, until } from "../world/wait.ts";
import type { BenchContext } from "./bench.ts";
import type { BenchFleet } from "./fleet.ts";

/** Agents that have joined, hold their first state and have said so. */
export interface Joined {
  readonly herd: SimulatedAgents;
  /** Seconds from the first token to the last acknowledged report. */
  readonly seconds: number;
}

const bound = 300_000;

/** Lets simulated agents join on every cluster of the fleet, and waits until they are at rest. */
export async function joinAll(
  fleet: BenchFleet,
  { say }: BenchContext,
  behaviour: Partial<Behaviour> = {},
): Promise<Joined> {
  const began = performance.now();
  const since = () => (performance.now() - began) / 1_000;
  const places = new Map(fleet.clusters.map((cluster, index) => [cluster, index]));
  const opens = (cluster: string) => (places.get(cluster) ?? 0) % 20 === 0;
  const herd = await fleet.join({ behaviour: { opens, ...behaviour } });
  say(`bench: ${herd.size} agents enrolled after ${since().toFixed(1)} s`);
  await herd.untilConnected(bound);
  const held = () => [...herd.all()].filter(({ revision }) => revision > 0n).length;
  await until("a state on every agent", () => held() === herd.size || notYet(held()), bound);
  await herd.untilQuiet(bound);
  const seconds = since();
  say(`bench: ${herd.size} agents connected, and reported what they hold, after ${seconds.toFixed(1)} s`);
  return { herd, seconds };
}

/** Throws where agents saw what they must never see: a figure of a run that went wrong means nothing. */
export function expectSound(herd: SimulatedAgents): void {
  if (herd.faults.length === 0) return;
  throw new Error(`${herd.faults.length} faults on agents, the first: ${herd.faults.slice(0, 3).join("; ")}`);
}

/**
 * Commits files and pushes them. Returns, for each of these clusters, the milliseconds from the end of the push (when a
 * forge would call the webhook) to the moment that its agent holds a new revision.
 */
export async function heldAfter(
  fleet: BenchFleet,
  herd: SimulatedAgents,
  { files, clusters }: { readonly files: Files; readonly clusters: readonly string[] },
): Promise<number[]> {
  const expected = new Set(clusters);
  const took = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  let started = Number.NaN;
  const stop = herd.onHeld((cluster) => {
    if (!expected.has(cluster) || took.has(cluster)) return;
    took.set(cluster, performance.now() - started);
    if (took.size === expected.size) all.resolve();
  });
  const late = setTimeout(() => all.reject(new Error(`${took.size} of ${expected.size} hold it after 60 s`)), 60_000);
  try {
    await fleet.repository.write(files);
    await fleet.repository.commit("A change");
    await fleet.push(() => {
      started = performance.now();
    });
    await all.promise;
  } finally {
    clearTimeout(late);
    stop();
  }
  return [...took.values()];
}

/** A set that brings one target to every cluster at once; `path` may use Argo CD's parameters. */
export function setOfAll(of: { readonly name: string; readonly repoURL: string; readonly source: string }): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: ${of.name}
  namespace: argocd
spec:
  strategy:
    type: AllAtOnce
  generators:
    - clusters:
        selector:
          matchExpressions:
            - key: env
              operator: Exists
  template:
    metadata:
      name: "${of.name}-{{name}}"
    spec:
      project: default
      source:
        repoURL: ${of.repoURL}
        targetRevision: main
${of.source
  .trim()
  .split("\n")
  .map((line) => `        ${line}\n`)
  .join("")}      destination:
        name: "{{name}}"
        namespace: ${of.name}
      syncPolicy:
        automated: {}
`;
}

/** A ConfigMap with one value. */
export function configMap(name: string, value: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  value: "${value}"\n`;
}
