import { type Chance, type Instant } from "@capstan/proto";
import { isOver } from "./fold.ts";
import type { KeptRun, Lane, Wanted } from "./lane-run.ts";
import { type LaneKey, parseRunId, type RunId, type RunState } from "./model.ts";
import type { Assignments } from "./port.ts";
import { pinned } from "./rollback.ts";

/** Whether nothing is asked for and nothing stands: what a run still holds of it went to another lane. */
export function isEmptied({ key, pin }: Lane, { release }: Wanted, assignments: Assignments): boolean {
  return pin === undefined && release.targets.length === 0 && assignments.ofLane(key).length === 0;
}

/** Whether the lane may go to what is asked of it: no pin, nobody whose word it waits for, and nothing that ended badly. */
export function mayMove(lane: Lane, wanted: Wanted): boolean {
  if (pinned(lane.pin, wanted.release.id) !== null) return false;
  const released = lane.released?.release === wanted.release.id;
  if (!wanted.automated && !released && wanted.release.targets.length > 0) return false;
  const last = lane.run?.state;
  // What ended badly is not tried again by itself: the same content needs a person, or something new.
  const ended = last !== undefined && isOver(last.status) && last.plan.release === wanted.release.id;
  return !ended || released || !["Aborted", "Failed", "RolledBack", "RollbackFailed"].includes(last.status.phase);
}

/** Whether desired states say what the release wants, but for clusters that an ended run left behind on purpose. */
export function isAsDecided(lane: Lane, wanted: Wanted, assignments: Assignments): boolean {
  const left = new Set(
    lane.run?.state.clusters.flatMap(({ status }, index) =>
      ["Done", "Removed"].includes(status.is) ? [] : [lane.run?.state.members[index]?.cluster],
    ),
  );
  return wanted.release.targets.every(({ target, cluster, content }) => {
    return left.has(cluster) || assignments.held(cluster, target)?.content === content;
  });
}

/** Older runs to the same release (catch-ups): a rollback takes them back too. */
export function sameRelease(lane: Lane, kept: KeptRun): RunState[] {
  const { release, run } = kept.state.plan;
  return lane.past.map(({ state }) => state).filter(({ plan }) => plan.release === release && plan.run !== run);
}

/** A new run id: the lane's name, the time, and chance. */
export function runIdOf(lane: LaneKey, at: { readonly now: Instant; readonly chance: Chance }): RunId {
  const slug = lane
    .replace(/[^a-z0-9]+/gi, "-")
    .toLowerCase()
    .replace(/^-+|-+$/g, "")
    .slice(-60);
  const unique = Math.floor(at.chance() * 36 ** 4)
    .toString(36)
    .padStart(4, "0");
  return parseRunId(`${slug.replace(/^-+/, "")}-${Math.floor(at.now).toString(36)}${unique}`);
}
