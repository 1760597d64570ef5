import type { Digest } from "@capstan/proto";
import type { TargetContent } from "../targets/content.ts";
import type { LaneKey, Pin, Release, RunState, Strategy } from "./model.ts";

/** What people ask of a lane now; the newest answer of the releases room. */
export interface Wanted {
  readonly release: Release;
  readonly contents: ReadonlyMap<Digest, TargetContent>;
  readonly strategy: Strategy;
  /** False: goes out only when a person syncs it. */
  readonly automated: boolean;
}

/** A run as the shell keeps it. */
export interface KeptRun {
  readonly state: RunState;
  readonly contents: ReadonlyMap<Digest, TargetContent>;
  /** Sequence of the last entry of its record that counts. */
  readonly last: bigint;
}

/** A lane as the shell keeps it. One writer: whatever changes it runs under the lane's turn. */
export interface Lane {
  readonly key: LaneKey;
  wanted: Wanted | undefined;
  /** The newest run, ended or not. */
  run: KeptRun | undefined;
  /** Ended runs before it, newest first, at most ten. */
  past: KeptRun[];
  pin: Pin | undefined;
  /** The release that a person lets go though the lane is not automated. */
  released: Digest | undefined;
  /** Work on the lane happens one after the other. */
  turn: Promise<unknown>;
}

export function newLane(key: LaneKey): Lane {
  return {
    key,
    wanted: undefined,
    run: undefined,
    past: [],
    pin: undefined,
    released: undefined,
    turn: Promise.resolve(),
  };
}
