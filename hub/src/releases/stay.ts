import type { Fault, TargetKey } from "@capstan/proto";
import type { Standing } from "../distribution/standing.ts";
import type { TargetContent } from "../targets/content.ts";
import type { Filled, Kept } from "./group.ts";

/** What is known of a pass when it decides what stays. */
export interface StayInput {
  readonly standing: readonly Standing[];
  readonly filled: readonly Filled[];
  /** Nothing failed and nothing was listed incompletely. */
  readonly complete: boolean;
  readonly faults: ReadonlyMap<TargetKey, Fault>;
  /** Names that were generated but not accepted. */
  readonly heldNames: readonly string[];
  /** False: the set never removes (`applicationsSync`). */
  readonly mayRemove: boolean;
  content(one: Standing): TargetContent | undefined;
}

/**
 * What stands and was not made anew: kept where its absence is no proof that people want it gone (promise 3). A target that
 * moves to another cluster is no longer wanted where it was; one that failed, or was not seen for a failure, stays. Pure.
 */
export function stay(input: StayInput): { readonly kept: readonly Kept[]; readonly lanes: readonly string[] } {
  const made = new Map(input.filled.map(({ target }) => [target.key, target.cluster] as const));
  const held = new Set(input.heldNames);
  const kept = input.standing.filter(({ key }) => {
    if (made.has(key)) return false;
    return !input.mayRemove || !input.complete || input.faults.has(key) || held.has(key.split("/")[1] ?? "");
  });
  return {
    kept: kept.map((one) => ({
      lane: one.lane,
      release: { target: one.key, cluster: one.cluster, content: one.content },
      content: input.content(one),
    })),
    lanes: [...new Set(input.standing.map(({ lane }) => lane))],
  };
}
