import type { Chance, Digest, Instant } from "@capstan/proto";
import { isOver } from "./fold.ts";
import type { KeptRun, Lane, Wanted } from "./lane-run.ts";
import { type LaneKey, parseRunId, type ReleaseTarget, type RunId, type RunState } from "./model.ts";
import type { Assignments } from "./port.ts";
import { pinned } from "./rollback.ts";

/** Whether nothing is asked for and nothing stands: what a run still holds of it went to another lane. */
export function isEmptied({ key, pin }: Lane, { release }: Wanted, assignments: Assignments): boolean {
  return pin === undefined && release.targets.length === 0 && assignments.ofLane(key).length === 0;
}

/** Whether the lane may go to what is asked of it: no pin, nobody whose word it waits for, and nothing that was refused. */
export function mayMove(lane: Lane, wanted: Wanted): boolean {
  if (isPinned(lane, wanted)) return false;
  if (lane.released?.release === wanted.release.id) return true;
  if (lane.unreadable !== undefined) return false;
  if (!wanted.automated && wanted.release.targets.length > 0) return false;
  return !isRefused(lane, wanted);
}

/** Whether a pin keeps the lane from what is asked of it; one of a rollback by itself ends with another content. */
export function isPinned(lane: Lane, { release }: Wanted): boolean {
  if (pinned(lane.pin, release.id) === null) return false;
  if (lane.pin?.untilOther !== true) return true;
  const back = runNamed(lane, lane.pin.run)?.state.plan.origin;
  const refused = back?.kind === "rollback" ? runNamed(lane, back.of) : undefined;
  return refused === undefined || asksFor(lane, refused, release);
}

function runNamed(lane: Lane, run: RunId): KeptRun | undefined {
  return [lane.run, ...lane.past].find((each) => each?.state.plan.run === run);
}

/**
 * Whether the wanted release is one that a person or failures stopped: the lane's newest run is paused or ended badly, and
 * every place (target on cluster) that it and the release both name has the same content. Contents are compared, not
 * release ids, for a cluster that joins, leaves or is relabelled makes a new id of the same content. The run's own record
 * is all that is remembered, so the whole lane waits, newcomers and leavers with it, until Git brings another content to
 * one of these places or a person says so (resume, retry, sync). A release that shares nothing with what the run was to
 * bring is no second try of it: a set that is taken away goes.
 */
export function isRefused(lane: Lane, { release }: Wanted): boolean {
  const { run } = lane;
  if (run === undefined || !(run.state.status.phase === "Paused" || endedBadly(run.state))) return false;
  if (isOver(run.state.status) && run.state.plan.release === release.id) return true;
  return asksFor(lane, run, release);
}

/** Whether a release asks for what a run was to bring, place by place. */
function asksFor(lane: Lane, run: KeptRun, release: Wanted["release"]): boolean {
  const { brought, kept } = placesOf([...sameRelease(lane, run).reverse(), run.state]);
  const places = release.targets.map((one) => ({ place: placeOf(one), content: one.content }));
  const asks = ({ place, content }: { place: string; content: Digest }) =>
    (brought.get(place) ?? kept.get(place) ?? content) === content;
  return places.some(({ place }) => brought.has(place)) && places.every(asks);
}

/** Whether the run ended without its content being accepted: it is not tried again by itself. */
export function endedBadly({ status }: RunState): boolean {
  return ["Aborted", "Failed", "RolledBack", "RollbackFailed"].includes(status.phase);
}

type Places = ReadonlyMap<string, Digest>;

/** What runs to one release were to bring, and what they left, place by place; the last run has the last word. */
function placesOf(runs: readonly RunState[]): { readonly brought: Places; readonly kept: Places } {
  const brought = new Map<string, Digest>();
  const kept = new Map<string, Digest>();
  for (const { members, plan } of runs) {
    // What no step selects stays as it is whatever the release says.
    const unmatched = new Set(plan.unmatched);
    for (const one of plan.kept) if (!unmatched.has(one.target)) kept.set(placeOf(one), one.content);
    for (const { cluster, moves } of members) {
      for (const { target, to } of moves) if (to !== null) brought.set(placeOf({ target, cluster }), to);
    }
  }
  return { brought, kept };
}

function placeOf({ target, cluster }: Pick<ReleaseTarget, "target" | "cluster">): string {
  return `${cluster} ${target}`;
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
