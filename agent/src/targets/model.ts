/**
 * Keeping targets: for each on its own, `decide` says what to do now (apply, check, hold, rest), `policy` reads the
 * signed policy, `windows` judges the time, and the reconciler asks the apply room. What the state no longer names is
 * kept as it is.
 */
import type { TargetKey } from "@capstan/proto";
import { type DesiredTarget, Mode, type Tombstone } from "@capstan/proto/desired";
import type { CurrentState } from "../desired/model.ts";
import { keyOf } from "./policy.ts";

/** What the cluster should hold now, by target. */
export interface Wanted {
  readonly revision: bigint;
  readonly clusterMode: Mode;
  readonly targets: ReadonlyMap<TargetKey, DesiredTarget>;
  readonly tombstones: ReadonlyMap<TargetKey, Tombstone>;
}

/** Before any state was accepted. */
export const wantsNothing: Wanted = {
  revision: 0n,
  clusterMode: Mode.UNSPECIFIED,
  targets: new Map(),
  tombstones: new Map(),
};

/** What a held state wants. */
export function wantedOf({ state, lists }: CurrentState): Wanted {
  return {
    revision: state.revision,
    clusterMode: state.mode,
    targets: new Map(lists.targets.map((target) => [keyOf(target), target])),
    tombstones: new Map(lists.tombstones.map((tombstone) => [keyOf(tombstone), tombstone])),
  };
}
