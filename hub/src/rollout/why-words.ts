import type { Instant } from "@capstan/proto";
import type { Closed, PlannedCluster, Reason, Rule } from "./model.ts";

/** A reason that is about no cluster in particular. */
export function reason(rule: Rule, text: string, since: Instant, unblock: string): Reason {
  return { rule, text, since, unblock, clusters: [] };
}

/** A reason that is about one cluster. */
export function about(member: PlannedCluster, rule: Rule, text: string, since: Instant, unblock: string): Reason {
  return { rule, text, since, unblock, clusters: [member.cluster] };
}

/** A window that keeps one cluster. */
export function closedReason(member: PlannedCluster, { text, until }: Closed, since: Instant): Reason {
  return {
    ...about(member, "window", `${member.cluster}: ${text}`, since, "the window ends, or an emergency run"),
    until,
  };
}
