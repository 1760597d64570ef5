import type { ClusterId, Digest, Instant, TargetKey } from "@capstan/proto";
import type { ClusterStatus } from "../status/model.ts";
import type { Change as DesiredChange, TargetContent } from "../targets/content.ts";
import type { Answer } from "./gate-verbs.ts";
import type { Assigned, ClusterAtPlan, Errand, LaneKey, Pin, RunId } from "./model.ts";
import type { Released } from "./released.ts";

/** A run's record as bytes: the truth is what `head` counts; entries beyond it were never decided. */
export interface RolloutStore {
  /** The heads of all runs, in any order. */
  heads(signal: AbortSignal): Promise<Uint8Array[]>;
  /** Appends an entry and then names it in the head: both or, after a crash between, an entry that counts for nothing. */
  append(run: RunId, entry: Uint8Array, head: (sequence: bigint) => Uint8Array, signal: AbortSignal): Promise<bigint>;
  /** Entries up to and including `last`, in their order. */
  read(run: RunId, last: bigint, signal: AbortSignal): Promise<Uint8Array[]>;
  /** The run counts no longer: of its record nothing is read again. */
  dropHead(run: RunId, signal: AbortSignal): Promise<void>;
  released(signal: AbortSignal): Promise<Released[]>;
  saveReleased(released: Released, signal: AbortSignal): Promise<void>;
  deleteReleased(lane: LaneKey, signal: AbortSignal): Promise<void>;
  pins(signal: AbortSignal): Promise<Pin[]>;
  savePin(pin: Pin, signal: AbortSignal): Promise<void>;
  deletePin(lane: LaneKey, signal: AbortSignal): Promise<void>;
}

/** Desired states, as rollouts read and change them. */
export interface Assignments {
  /** What the signed states hold of a lane now. */
  ofLane(lane: LaneKey): readonly Assigned[];
  held(cluster: ClusterId, target: TargetKey): { readonly generation: number; readonly content: Digest } | undefined;
  revision(cluster: ClusterId): number;
  content(cluster: ClusterId, target: TargetKey): TargetContent | undefined;
  /** The lane that a target which stands belongs to now; undefined: it stands nowhere. */
  laneOf(target: TargetKey): LaneKey | undefined;
  assign(cluster: ClusterId, target: TargetKey, change: DesiredChange): void;
}

/** Clusters as rollouts see them. */
export interface ClusterView {
  all(): readonly ClusterAtPlan[];
  /** Undefined: no longer in the fleet. */
  status(
    cluster: ClusterId,
  ): { readonly connected: boolean; readonly cordoned?: boolean; readonly status: ClusterStatus } | undefined;
  readonly listeningSince: Instant;
}

/** What gates ask of the world outside the fleet: metrics, calls. */
export interface GateWorld {
  /** The lane as `namespace/set:lane`, for whoever is called. What cannot be asked may throw: it counts as no answer. */
  ask(errand: Errand, lane: string, signal: AbortSignal): Promise<Answer>;
}

/** The deletion guard's word. */
export interface RemovalGuard {
  /** What each run wants to remove now; asked about before it goes. */
  want(
    lane: LaneKey,
    removals: readonly { readonly target: TargetKey; readonly cluster: ClusterId; readonly moves: boolean }[],
  ): void;
  held(cluster: ClusterId, target: TargetKey): string | undefined;
  done(
    lane: LaneKey,
    removals: readonly { readonly target: TargetKey; readonly cluster: ClusterId; readonly moves: boolean }[],
    signal: AbortSignal,
  ): Promise<void>;
  /** Who approved a removal that is done since then; empty: nobody had to. */
  approver(lane: LaneKey, place: { readonly target: TargetKey; readonly cluster: ClusterId }, since: Instant): string;
}
