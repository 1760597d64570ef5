import type { ClusterId, Digest, TargetKey } from "@capstan/proto";
import { Fault } from "@capstan/proto";
import { scopeOf } from "./ending.ts";
import { isInFlight, isOver, isUnstarted, Recorder } from "./fold.ts";
import type {
  Assigned,
  ClusterAtPlan,
  Facts,
  Hash,
  Intent,
  Move,
  Pin,
  PlanInput,
  Reason,
  Release,
  ReleaseTarget,
  RollbackScope,
  RunId,
  RunState,
  VerbResult,
} from "./model.ts";
import { isHealthyThere, isOrdered } from "./observe.ts";
import { releaseId } from "./plan.ts";
import { catchUpStrategy, rollbackStrategy } from "./strategy.ts";

/** A cluster that was offline for longer is held for a person, its difference shown. */
const staleMs = 14 * 24 * 3_600_000;

/** What a new run of the same lane needs to know. */
export interface Onward {
  /** The new run's id. */
  readonly run: RunId;
  readonly current: readonly Assigned[];
  readonly clusters: readonly ClusterAtPlan[];
}

export interface RollbackRequest extends Onward {
  readonly scope: RollbackScope;
  /** Runs that brought the same release before this one (it is a catch-up or a retry), oldest first: taken back with it. */
  readonly earlier?: readonly RunState[];
  /** The older release to go to, whole (`releaseOf` its plan); absent: what each cluster had before this run. */
  readonly to?: Release;
  readonly hash: Hash;
}

export interface Rollback {
  /** What becomes of the run that is rolled back; nothing, when it is over. */
  readonly old: VerbResult;
  /** For `plan`: a new run, everything at once, to the older digests. */
  readonly input: PlanInput;
  /** The lane stays there until somebody unpins it. */
  readonly pin: Pin;
}

/**
 * Takes a run back: the same bytes as before, by digest. Throws `not-now` when no cluster of the scope was touched, or the
 * run is being rolled back already.
 */
export function rollback(state: RunState, intent: Intent, request: RollbackRequest): Rollback {
  const { scope, run } = request;
  if (state.status.phase === "RollingBack" || state.status.phase === "Aborting") {
    throw new Fault("not-now", {
      message: `${state.plan.run} is ${state.status.phase} already.`,
      next: "Wait until that has ended.",
    });
  }
  const whole = scope === "all" && request.to !== undefined;
  const covered = coveredBy(state, request);
  const release = request.to === undefined ? before(state, covered, request) : withYounger(request.to, request.current);
  const { now, actor, reason } = intent;
  const input: PlanInput = {
    ...common(state, intent, request),
    previous: state.plan.release,
    origin: { kind: "rollback", of: state.plan.run, scope },
    release,
    strategy: rollbackStrategy(state.plan.strategy),
    ...(whole ? {} : { only: [...covered].sort() }),
  };
  const pin = { lane: state.plan.lane, release: release.id, by: actor, reason, at: now, run };
  return { old: beginRollback(state, intent, request), input, pin };
}

function coveredBy(state: RunState, { scope, earlier = [], to }: RollbackRequest): ReadonlySet<ClusterId> {
  const runs = scope === "all" || scope === "touched" ? [...earlier, state] : [state];
  const covered = new Set(runs.flatMap((run) => [...scopeOf(run, scope === "all" ? "touched" : scope)]));
  if (covered.size === 0 && (scope !== "all" || to === undefined)) {
    throw new Fault("not-now", {
      message: `${state.plan.run} has nothing to roll back: no cluster ${scope === "failed" ? "failed" : "was touched"}.`,
      next: `Use capstan rollout abort ${state.plan.lane}, or name a release with --to and --scope all.`,
    });
  }
  return covered;
}

/** A target that the older release did not know (a cluster joined since) stays as it is: its absence deletes nothing. */
function withYounger(release: Release, current: readonly Assigned[]): Release {
  const targets = new Map<TargetKey, ReleaseTarget>(release.targets.map((one) => [one.target, one]));
  for (const one of current) if (!targets.has(one.target)) targets.set(one.target, one);
  return { ...release, targets: [...targets.values()] };
}

/** What the covered clusters held before the run, told by its moves; a target that the run did not move stays. */
function before(state: RunState, covered: ReadonlySet<ClusterId>, request: RollbackRequest): Release {
  const back = new Map<string, Digest | null>();
  for (const run of [...(request.earlier ?? []), state]) {
    for (const [index, { cluster, moves }] of run.members.entries()) {
      if (!covered.has(cluster) || (run.clusters[index]?.attempt ?? 0) === 0) continue;
      for (const { target, from } of moves) {
        const place = `${cluster} ${target}`;
        if (!back.has(place)) back.set(place, from);
      }
    }
  }
  // A target that was nowhere before stays where it is: that it was absent then deletes nothing now.
  const elsewhere = new Set([...back].flatMap(([place, from]) => (from === null ? [] : [place.split(" ")[1]])));
  for (const [place, from] of back) {
    if (from === null && !elsewhere.has(place.split(" ")[1])) back.delete(place);
  }
  const kept = request.current.filter(({ cluster, target }) => !back.has(`${cluster} ${target}`));
  const targets: ReleaseTarget[] = [...kept];
  for (const [place, content] of back) {
    const [cluster, target] = place.split(" ") as [ClusterId, TargetKey];
    if (content !== null) targets.push({ cluster, target, content });
  }
  const { lane, previous, cause } = state.plan;
  const told = { ...cause, commit: "", subject: `before "${cause.subject}"` };
  return {
    id: previous ?? releaseId(lane, targets, request.hash),
    lane,
    cause: told,
    targets: placedOnce(targets, covered),
  };
}

/** A target that the run moved stands on two clusters until its removal; going back, only its old place counts. */
function placedOnce(targets: readonly ReleaseTarget[], covered: ReadonlySet<ClusterId>): readonly ReleaseTarget[] {
  const places = new Map<TargetKey, ReleaseTarget>();
  for (const one of targets) {
    if (!places.has(one.target) || covered.has(one.cluster)) places.set(one.target, one);
  }
  return [...places.values()];
}

function beginRollback(state: RunState, { now, actor, reason }: Intent, request: RollbackRequest): VerbResult {
  const rec = new Recorder(state);
  if (isOver(state.status)) return { state, transitions: [] };
  const { run, scope } = request;
  const covered = scopeOf(state, scope);
  rec.note(now, actor, reason, { of: "run", to: { phase: "RollingBack", run, scope } });
  for (const [index, { status }] of state.clusters.entries()) {
    const cluster = state.members[index]?.cluster;
    if (cluster === undefined) continue;
    const gone = isUnstarted(status) || (isInFlight(status) && !covered.has(cluster));
    if (gone) rec.note(now, actor, reason, { of: "cluster", index, cluster, to: { is: "Superseded", run } });
  }
  return { state: rec.state(), transitions: rec.transitions };
}

function common(state: RunState, { now, actor, reason }: Intent, { run, current, clusters }: Onward) {
  return { run, now, actor, reason, previous: state.plan.previous, current, clusters };
}

/** Clusters of an ended run that were deferred, by what is to be done about them. */
export interface Returned {
  /** Connected again: a catch-up run may take them. */
  readonly ready: readonly ClusterId[];
  /** Away for more than 14 days: held until a person has seen the difference. */
  readonly stale: readonly ClusterId[];
}

/** Those of an ended run's deferred clusters that could go on now. One whose desired state says it all needs no run. */
export function returned(state: RunState, facts: Facts): Returned {
  const ready = new Set<ClusterId>();
  const stale = new Set<ClusterId>();
  for (const [index, run] of state.clusters.entries()) {
    const member = state.members[index];
    if (member === undefined || run.status.is !== "Deferred") continue;
    const fact = facts.of(member.cluster);
    if (fact?.connected !== true || fact.cordoned === true) continue;
    const said = member.moves.every((move) => isOrdered(move, fact.target(move.target), run));
    const blocked = member.moves.some((move) => !isSuccessorHealthy(move, facts));
    if (said || blocked) continue;
    if (run.status.because === "offline" && facts.now - run.since > staleMs) stale.add(member.cluster);
    else ready.add(member.cluster);
  }
  return { ready: [...ready], stale: [...stale] };
}

function isSuccessorHealthy(move: Move, facts: Facts): boolean {
  if (move.successor === undefined) return true;
  const fact = facts.of(move.successor)?.target(move.target);
  return fact !== undefined && isHealthyThere(fact);
}

export interface FollowUp extends Onward {
  readonly kind: "catch-up" | "retry";
  /** Absent: the bytes that the run itself names. */
  readonly release?: Release;
  /** The clusters to take. */
  readonly only: readonly ClusterId[];
}

/** For `plan`: a child run for deferred clusters that returned, or for those that failed in a run that has ended. */
export function followUp(state: RunState, intent: Intent, request: FollowUp): PlanInput {
  const { kind, only } = request;
  const { strategy } = state.plan;
  const release = request.release ?? ownRelease(state, request);
  return {
    ...common(state, intent, request),
    origin: { kind, of: state.plan.run },
    release,
    strategy: kind === "retry" ? rollbackStrategy(strategy) : catchUpStrategy(strategy),
    only,
    again: kind === "retry",
  };
}

/** What the run's moves make of the clusters' targets; those that it did not move stay. */
function ownRelease(state: RunState, { current, only }: FollowUp): Release {
  const named = new Set(only);
  const targets = new Map<string, ReleaseTarget>();
  for (const one of current) if (named.has(one.cluster)) targets.set(`${one.cluster} ${one.target}`, one);
  for (const { cluster, moves } of state.members) {
    for (const { target, to } of named.has(cluster) ? moves : []) {
      if (to === null) targets.delete(`${cluster} ${target}`);
      else targets.set(`${cluster} ${target}`, { cluster, target, content: to });
    }
  }
  const { lane, release, cause } = state.plan;
  return { id: release, lane, cause, targets: [...targets.values()] };
}

/** Why a pinned lane does not take this release; null when nothing is in the way. */
export function pinned(pin: Pin | undefined, release: Digest): Reason | null {
  if (pin === undefined || pin.release === release) return null;
  const because = pin.reason === "" ? "" : ` (${pin.reason})`;
  return {
    rule: "pinned",
    text: `${pin.lane} is pinned to ${pin.release.slice(7, 14)} by ${pin.by}${because}`,
    since: pin.at,
    unblock: `capstan rollout unpin ${pin.lane}`,
    clusters: [],
  };
}
