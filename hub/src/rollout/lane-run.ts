import { create } from "@bufbuild/protobuf";
import type { ClusterId, Digest, Instant, TargetKey } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import { DesiredTargetSchema, type Window } from "@capstan/proto/desired";
import type { TargetContent } from "../targets/content.ts";
import { splitLane } from "./facts.ts";
import { isOver } from "./fold.ts";
import type { LaneKey, Move, Pin, Reason, Release, RunId, RunState, Strategy } from "./model.ts";
import { releaseOf } from "./plan.ts";
import type { Released } from "./released.ts";

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

/** A target that is to leave a cluster. */
export interface Leaving {
  readonly target: TargetKey;
  readonly cluster: ClusterId;
  readonly moves: boolean;
}

/** A lane as the shell keeps it. One writer: whatever changes it runs under the lane's turn. */
export interface Lane {
  readonly key: LaneKey;
  wanted: Wanted | undefined;
  /** What would have to leave for `wanted` to be so: the deletion guard weighs it before a run is made of it. */
  leaving: readonly Leaving[];
  /** The newest run, ended or not. */
  run: KeptRun | undefined;
  /** Runs before it, newest first, at most ten. */
  past: KeptRun[];
  pin: Pin | undefined;
  /** Why what is wanted cannot be planned; absent: it can. */
  unplanned: Reason | undefined;
  /** The release that a person lets go, once: the lane is not automated, or its last run ended badly. */
  released: Released | undefined;
  /** A run that was under way and whose record cannot be read: the lane stays as it is until a person lets it go. */
  unreadable: { readonly run: RunId; readonly since: Instant } | undefined;
  /** Contents of `of` by place; made when it is first asked. */
  places: { readonly of: Wanted; readonly at: ReadonlyMap<string, Digest> } | undefined;
  /** Work on the lane happens one after the other. */
  turn: Promise<unknown>;
}

/** A lane of which nothing is known yet. */
export function newLane(key: LaneKey): Lane {
  const turn = Promise.resolve();
  const none = {
    wanted: undefined,
    run: undefined,
    pin: undefined,
    released: undefined,
    unreadable: undefined,
    places: undefined,
    unplanned: undefined,
  };
  return { key, leaving: [], past: [], turn, ...none };
}

/** Puts a run's newest state where it belongs: in place of its older state, or as the lane's newest run. */
export function keepRun(lane: Lane, kept: KeptRun): void {
  const { run } = kept.state.plan;
  const known = lane.past.some(({ state }) => state.plan.run === run);
  if (known) lane.past = lane.past.map((each) => (each.state.plan.run === run ? kept : each));
  else {
    if (lane.run !== undefined && lane.run.state.plan.run !== run) lane.past = [lane.run, ...lane.past].slice(0, 10);
    lane.run = kept;
  }
}

/** The lane's newest run. Throws `not-found` for a lane that never had one. */
export function requireRun(lane: Lane): KeptRun {
  if (lane.run !== undefined) return lane.run;
  throw new Fault("not-found", { message: `${lane.key} has never been rolled out.` });
}

/** A content that the lane knows of: wanted now, or of a run. */
export function contentIn(lane: Lane, digest: Digest): TargetContent | undefined {
  for (const each of [lane.wanted, lane.run, ...lane.past]) {
    const found = each?.contents.get(digest);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** A whole release that the lane has been at, by the start of its id or of its commit. Throws `not-found`. */
export function olderRelease(lane: Lane, id: string): Release {
  for (const { state } of [lane.run, ...lane.past].filter((each) => each !== undefined)) {
    const { release, cause } = state.plan;
    const named =
      release === id || release.startsWith(`sha256:${id}`) || (id.length >= 7 && cause.commit.startsWith(id));
    const whole = named ? releaseOf(state.plan) : undefined;
    if (whole !== undefined) return whole;
  }
  throw new Fault("not-found", {
    message: `${lane.key} has no whole release ${id} among its last ones.`,
    next: "See: capstan rollout list LANE --all",
  });
}

/**
 * The content as people call it now: windows act at once, and names of sets and lanes are no content, so what a run froze
 * (or takes back from an older one) must not bring old ones along.
 */
export function asCalledNow(
  lane: Lane,
  {
    cluster,
    target,
    content,
  }: { readonly cluster: ClusterId; readonly target: TargetKey; readonly content: TargetContent },
): TargetContent {
  const now = wantedNow(lane, cluster, target);
  if (now === undefined) return content;
  const { windows, set } = now;
  const { name } = splitLane(lane.key);
  return { ...content, target: create(DesiredTargetSchema, { ...content.target, windows, set, lane: name }) };
}

/** What people ask for at a place; the release's places are looked up once for each release. */
function wantedNow(lane: Lane, cluster: ClusterId, target: TargetKey): TargetContent["target"] | undefined {
  const { wanted } = lane;
  if (wanted === undefined) return undefined;
  if (lane.places?.of !== wanted) {
    const at = new Map(wanted.release.targets.map((one) => [`${one.cluster} ${one.target}`, one.content] as const));
    lane.places = { of: wanted, at };
  }
  const content = lane.places.at.get(`${cluster} ${target}`);
  return content === undefined ? undefined : wanted.contents.get(content)?.target;
}

/** The windows that people ask for a move's target now; of a removal: none, it only takes away. */
export function windowsIn(lane: Lane, cluster: ClusterId, { target, to }: Move): readonly Window[] {
  if (to === null) return [];
  const content = contentIn(lane, to);
  return content === undefined ? [] : asCalledNow(lane, { cluster, target, content }).target.windows;
}

/** What a lane still wants to remove: its run, if that goes on, and what people no longer ask for. */
export function removalsOf({ run, leaving, pin }: Lane): Leaving[] {
  const places = new Map<string, Leaving>();
  // A pinned lane does not follow what people ask for.
  for (const one of pin === undefined ? leaving : []) places.set(`${one.cluster} ${one.target}`, one);
  const members = run === undefined || isOver(run.state.status) ? [] : run.state.members;
  for (const { cluster, moves } of members) {
    for (const { target, to, successor } of moves) {
      if (to === null) places.set(`${cluster} ${target}`, { target, cluster, moves: successor !== undefined });
    }
  }
  return [...places.values()];
}

/** Clusters whose news may change something about the run: all while it goes, the deferred ones after. */
export function concerned(state: RunState): ReadonlySet<ClusterId> {
  const over = isOver(state.status);
  return new Set(
    state.members
      .filter((_, index) => !over || state.clusters[index]?.status.is === "Deferred")
      .map(({ cluster }) => cluster),
  );
}
