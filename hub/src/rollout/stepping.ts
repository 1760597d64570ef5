import type { Instant } from "@capstan/proto";
import type { Recorder } from "./fold.ts";
import type { Change, ClusterRun, Dispatch, Errand, Facts, PlannedCluster } from "./model.ts";
import { isAgain } from "./observe.ts";

/** The hub itself, as the actor of transitions. */
export const self = "capstan";

/** One step under way: the state being changed, the facts, and what was gathered so far. */
export interface Stepping {
  readonly rec: Recorder;
  readonly facts: Facts;
  readonly dispatch: Dispatch[];
  readonly errands: Errand[];
  wakeAt: Instant | null;
}

/** Records what the hub itself decided. */
export function note({ rec, facts }: Stepping, reason: string, change: Change): void {
  rec.note(facts.now, self, reason, change);
}

/** Remembers the earliest time at which something may change by itself. */
export function wake(stepping: Stepping, at: Instant | null): void {
  if (at !== null && (stepping.wakeAt === null || at < stepping.wakeAt)) stepping.wakeAt = at;
}

/** The dispatch that the present attempt of the cluster at `index` stands for. */
export function dispatchOf(run: string, index: number, member: PlannedCluster, cluster: ClusterRun): Dispatch {
  const { moves } = member;
  const again = moves.some((move) => isAgain(move, cluster));
  return { id: `${run}/${index}/${cluster.attempt}`, cluster: member.cluster, moves, kind: "move", again };
}
