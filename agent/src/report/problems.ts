import { Fault, type Instant, limits } from "@capstan/proto";
import type { TargetStatus } from "./model.ts";

/** A problem of a target, and the key of the object that it speaks of; empty where it is the target's own. */
export interface StatedProblem {
  readonly object: string;
  readonly fault: Fault;
}

/** The first problems of a target: its own, then those of its objects. */
export function statedProblems(status: TargetStatus): readonly StatedProblem[] {
  const own = status.problem === undefined ? [] : [{ object: "", fault: status.problem }];
  const objects = [...status.findings].flatMap(([object, { fault, action, reason }]) => {
    if (fault !== undefined) return [{ object, fault }];
    if (action !== "held") return [];
    return [{ object, fault: new Fault("held", { message: reason ?? "its deletion waits for a person." }) }];
  });
  return [...own, ...objects].slice(0, limits.reportProblems);
}

/** What makes two problems the same one, seen again: their texts may count seconds. */
export function problemKey({ object, fault }: StatedProblem): string {
  return `${fault.code} ${object}`;
}

/** The status with the time at which each of its problems was first seen. While a pass is under way none is forgotten. */
export function withSince(status: TargetStatus, now: Instant): TargetStatus {
  const keys = statedProblems(status).map(problemKey);
  if (keys.length === 0 && status.since.size === 0) return status;
  const underWay = status.phase === "Applying" || status.phase === "Fetching";
  const since = new Map(underWay ? status.since : []);
  for (const key of keys) since.set(key, status.since.get(key) ?? now);
  return { ...status, since };
}
