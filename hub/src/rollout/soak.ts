import type { Instant } from "@capstan/proto";
import type { ClusterFact, Facts, RunState } from "./model.ts";
import { isOrdered } from "./observe.ts";
import { note, type Stepping } from "./stepping.ts";

/** The stages whose clusters soak in a stage: those that it covers, else its own. */
function soaking(plan: RunState["plan"], at: number): ReadonlySet<number> {
  return new Set(plan.stages[at]?.covers ?? [at]);
}

/** When the soak of a stage ends: counted from the last of its clusters that succeeded; null: it has none, or is over by word. */
export function soakUntil(state: Pick<RunState, "plan" | "stages" | "clusters">, at: number): Instant | null {
  const soakMs = state.plan.stages[at]?.soakMs ?? 0;
  if (soakMs === 0 || state.stages[at]?.promoted === true || state.plan.emergency !== undefined) return null;
  const stages = soaking(state.plan, at);
  let last: Instant | null = null;
  for (const { stage, status, since } of state.clusters) {
    if (status.is === "Done" && stages.has(stage) && (last === null || since > last)) last = since;
  }
  return last === null ? null : last + soakMs;
}

/** Clusters that fall ill while their stage soaks have failed. True where one did. */
export function watchSoak(stepping: Stepping, at: number): boolean {
  const { rec, facts } = stepping;
  const stages = soaking(rec.plan, at);
  let regressed = false;
  for (const [index, { stage, status }] of rec.clusters.entries()) {
    if (status.is !== "Done" || !stages.has(stage)) continue;
    const trouble = troubleOf(rec, index, facts);
    const cluster = rec.members[index]?.cluster;
    if (trouble === undefined || cluster === undefined) continue;
    const to = { is: "Failed", because: "health", message: trouble } as const;
    note(stepping, "fell ill while its stage soaked", { of: "cluster", index, cluster, to });
    regressed = true;
  }
  return regressed;
}

function troubleOf({ members, clusters }: Stepping["rec"], index: number, facts: Facts): string | undefined {
  const member = members[index];
  const run = clusters[index];
  const fact: ClusterFact | undefined = member === undefined ? undefined : facts.of(member.cluster);
  if (member === undefined || run === undefined || fact?.connected !== true) return undefined;
  for (const move of member.moves) {
    const { desired, reported, elsewhere } = fact.target(move.target);
    if (move.to === null || elsewhere === true || reported === null || desired === null) continue;
    if (!isOrdered(move, { desired, reported }, run) || reported.generation < desired.generation) continue;
    const ill = reported.phase === "Failed" || (reported.phase === "Applied" && reported.health === "Degraded");
    if (ill) return reported.error === "" ? `health is ${reported.health}` : reported.error;
  }
  return undefined;
}
