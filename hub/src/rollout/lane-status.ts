import { isOver } from "./fold.ts";
import { isPinned } from "./follow.ts";
import type { Lane, Wanted } from "./lane-run.ts";
import type { Facts, LaneKey, Pin, Reason, RunState } from "./model.ts";
import { pinned } from "./rollback.ts";
import { why } from "./why.ts";

/** A lane as people see it. */
export interface LaneStatus {
  readonly lane: LaneKey;
  readonly wanted: Wanted | undefined;
  readonly run: RunState | undefined;
  readonly past: readonly RunState[];
  readonly pin: Pin | undefined;
  /** Why the lane, or its run, waits; null: nothing does. */
  readonly reason: Reason | null;
}

/** The lane as it stands, and why it waits. */
export function laneStatus(lane: Lane, facts: Facts): LaneStatus {
  const run = lane.run?.state;
  const waiting = run === undefined || isOver(run.status) ? null : why(run, facts);
  const held = lane.wanted !== undefined && isPinned(lane, lane.wanted);
  const pin = held && lane.wanted !== undefined ? pinned(lane.pin, lane.wanted.release.id) : null;
  return {
    lane: lane.key,
    wanted: lane.wanted,
    run,
    past: lane.past.map(({ state }) => state),
    pin: lane.pin,
    reason: waiting ?? pin ?? lane.unplanned ?? unreadable(lane),
  };
}

function unreadable({ key, unreadable: lost }: Lane): Reason | null {
  if (lost === undefined) return null;
  return {
    rule: "record-unreadable",
    text: `the record of its rollout ${lost.run} cannot be read, so it is not known where that stood`,
    since: lost.since,
    unblock: `capstan sync ${key}, after looking at what its clusters hold`,
    clusters: [],
  };
}
