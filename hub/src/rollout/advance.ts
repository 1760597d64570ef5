import type { ClusterId, TargetKey } from "@capstan/proto";
import { beginAbort } from "./ending.ts";
import { isInFlight, isUnstarted } from "./fold.ts";
import type {
  Change,
  ClusterFact,
  Facts,
  HeldOn,
  Move,
  PlannedCluster,
  PlannedStage,
  RunPhase,
  RunState,
  StagePhase,
} from "./model.ts";
import { isHealthyThere, offlineForMs } from "./observe.ts";
import { dispatchOf, note, type Stepping, self, wake } from "./stepping.ts";
import { amountText, atMost, counted } from "./strategy.ts";
import { denominator, isBreached, isConcluded, isOpen, stageLimit, type Tally, tally, total } from "./tally.ts";

/** What holds a run although nothing is in flight. */
interface Hold {
  readonly on: HeldOn;
  readonly reason: string;
}

/** The stages' counts and unstarted clusters, kept true while dispatching. */
interface Board {
  readonly counts: Tally[];
  /** Indices of unstarted clusters by stage, in the order of dispatch. */
  readonly unstarted: number[][];
  hold: Hold | undefined;
  /** Who brings each target to its place; made when a removal first asks. */
  bringers: ReadonlyMap<TargetKey, readonly number[]> | undefined;
}

/** Stops after too many failures, else lets every open stage go on, then names the run's phase. */
export function advance(stepping: Stepping): void {
  const { rec } = stepping;
  if (rec.status.phase === "Paused") return;
  const counts = tally(rec);
  if (stopOnFailures(stepping, counts)) return;
  const board: Board = { counts, unstarted: unstartedOf(stepping), hold: undefined, bringers: undefined };
  for (const [at, stage] of rec.plan.stages.entries()) runStage(stepping, board, at, stage);
  settleRun(stepping, board);
}

function unstartedOf({ rec }: Stepping): number[][] {
  const lists = rec.plan.stages.map((): number[] => []);
  for (const [index, run] of rec.clusters.entries()) {
    if (isUnstarted(run.status)) lists[run.stage]?.push(index);
  }
  return lists;
}

/** After a breach nothing new starts; what is in flight finishes, and the counts stay exact. */
function stopOnFailures(stepping: Stepping, counts: readonly Tally[]): boolean {
  const { rec, facts } = stepping;
  const at = rec.plan.stages.findIndex((stage, index) => isBreached(stage, counts[index] as Tally));
  const stage = rec.plan.stages[at];
  if (stage === undefined || rec.plan.strategy.onFailure === "continue") return false;
  const reason = breachText(rec, at, stage);
  if (rec.plan.strategy.onFailure === "abort") beginAbort(rec, { now: facts.now, actor: self, reason });
  else note(stepping, reason, { of: "run", to: { phase: "Paused", by: self, reason, failure: true } });
  return true;
}

/** `canary prod-us-2 failed (allowed: 0 failures)`. */
export function breachText(state: Pick<RunState, "members" | "clusters">, at: number, stage: PlannedStage): string {
  const failed = state.members.filter((_, i) => isFailedIn(state, i, at)).map((member) => member.cluster);
  const names =
    failed.length > 3 ? `${failed.slice(0, 3).join(", ")} and ${failed.length - 3} more` : failed.join(", ");
  const allowed = stage.maxFailures === null ? "any number of" : amountText(stage.maxFailures);
  return `${stage.name} ${names} failed (allowed: ${allowed} failures)`;
}

function isFailedIn(state: Pick<RunState, "clusters">, index: number, stage: number): boolean {
  const run = state.clusters[index];
  return run?.stage === stage && run.status.is === "Failed";
}

function runStage(stepping: Stepping, board: Board, at: number, stage: PlannedStage): void {
  const { rec } = stepping;
  const run = rec.stages[at];
  const count = board.counts[at];
  if (run === undefined || count === undefined || !isOpen(rec, at)) return;
  if (isConcluded(run) && count.unstarted === 0) return;
  do dispatchStage(stepping, board, at);
  while (isShort(stage, count) && replaceCanary(stepping, board, at));
  const held = isShort(stage, count) && hasUntouched(stepping, board, at);
  if (held) {
    board.hold ??= { on: "capacity", reason: `no cluster is connected that could be the canary` };
  }
  settleStage(stepping, count, at, held);
}

function isLast(rec: Stepping["rec"], stage: number): boolean {
  return rec.plan.stages[stage]?.kind === "removals";
}

/** Whether the stage cannot reach its success any more, though nothing failed: its clusters were deferred or left. */
function isShort(stage: PlannedStage, count: Tally): boolean {
  return count.done + count.inFlight + count.unstarted + count.failed < stage.minSuccess;
}

/** Whether a cluster of a later stage could prove the release, once it is connected. */
function hasUntouched({ rec }: Stepping, board: Board, at: number): boolean {
  const isCandidate = (index: number) => rec.clusters[index]?.attempt === 0;
  return board.unstarted.some((list, later) => later > at && !isLast(rec, later) && list.some(isCandidate));
}

/** The next connected and untouched cluster, in the plan's order, of a later stage takes the canary's place. */
function replaceCanary(stepping: Stepping, board: Board, at: number): boolean {
  const { rec, facts } = stepping;
  for (let later = at + 1; later < board.unstarted.length; later += 1) {
    if (isLast(rec, later)) continue;
    const list = board.unstarted[later] ?? [];
    const place = list.findIndex(
      (index) => rec.clusters[index]?.attempt === 0 && isConnected(rec.members[index], facts),
    );
    const index = list[place];
    const member = index === undefined ? undefined : rec.members[index];
    if (index === undefined || member === undefined) continue;
    note(stepping, "takes the place of a canary that is out of reach", restage(index, member.cluster, at));
    list.splice(place, 1);
    board.unstarted[at]?.push(index);
    shift(board.counts[later], "unstarted", -1);
    shift(board.counts[at], "unstarted", 1);
    return true;
  }
  return false;
}

function isConnected(member: PlannedCluster | undefined, facts: Facts): boolean {
  const fact = member === undefined ? undefined : facts.of(member.cluster);
  return fact?.connected === true && fact.cordoned !== true;
}

function restage(index: number, cluster: ClusterId, stage: number): Change {
  return { of: "restage", index, cluster, stage };
}

function shift(count: Tally | undefined, field: "unstarted", by: number): void {
  if (count === undefined) return;
  count[field] += by;
  count.size += by;
}

/** Starts clusters in the plan's order until a limit is reached. */
function dispatchStage(stepping: Stepping, board: Board, at: number): void {
  const waiting = board.unstarted[at] ?? [];
  const rest: number[] = [];
  for (const [place, index] of waiting.entries()) {
    if (!hasRoom(stepping, board, at)) {
      rest.push(...waiting.slice(place));
      break;
    }
    if (!startOne(stepping, board, at, index)) rest.push(index);
  }
  board.unstarted[at] = rest;
}

function hasRoom({ rec }: Stepping, board: Board, at: number): boolean {
  const stage = rec.plan.stages[at];
  const run = rec.stages[at];
  const count = board.counts[at];
  if (stage === undefined || run === undefined || count === undefined) return false;
  const limit = stageLimit(stage, run, count);
  if (limit === 0) board.hold ??= { on: "gate", reason: `${stage.name} waits for a person: its maxUpdate is 0` };
  if (limit !== null && count.inFlight >= limit) return false;
  if (rec.plan.strategy.maxConcurrency === null) return true;
  const all = total(board.counts);
  const ceiling = atMost(rec.plan.strategy.maxConcurrency, denominator(all));
  return ceiling === null || all.inFlight < ceiling;
}

/** Whether the cluster left the list of the unstarted: dispatched, or deferred. */
function startOne(stepping: Stepping, board: Board, at: number, index: number): boolean {
  const { rec, facts, dispatch } = stepping;
  const member = rec.members[index];
  const fact = member === undefined ? undefined : facts.of(member.cluster);
  const count = board.counts[at];
  if (member === undefined || fact === undefined || count === undefined) return false;
  const { cluster } = member;
  const defer = (because: "offline" | "cordoned" | "successor", reason: string): true => {
    note(stepping, reason, { of: "cluster", index, cluster, to: { is: "Deferred", because, dispatched: false } });
    count.unstarted -= 1;
    count.deferred += 1;
    return true;
  };
  if (fact.cordoned === true) return defer("cordoned", "cordoned");
  if (!fact.connected) return isOffline(stepping, fact) ? defer("offline", "offline") : false;
  const obstacle = obstacleOf(stepping, board, index, member.moves);
  if (obstacle === "wait") return false;
  if (obstacle === "defer") return defer("successor", "its target's new place is not healthy");
  const to = { is: "Dispatched", seq: fact.revision } as const;
  note(stepping, `${rec.plan.stages[at]?.name ?? "stage"}: its turn`, { of: "cluster", index, cluster, to });
  count.unstarted -= 1;
  count.inFlight += 1;
  const run = rec.clusters[index];
  if (run !== undefined) dispatch.push(dispatchOf(rec.plan.run, index, member, run));
  return true;
}

function isOffline(stepping: Stepping, fact: ClusterFact): boolean {
  const left = stepping.rec.plan.strategy.offlineAfterMs - offlineForMs(fact, stepping.facts);
  if (left > 0) wake(stepping, stepping.facts.now + left);
  return left <= 0;
}

/** Of removals: the deletion guard, and the health of a moved target in its new place. */
function obstacleOf(
  stepping: Stepping,
  board: Board,
  index: number,
  moves: readonly Move[],
): "wait" | "defer" | "none" {
  let defer = false;
  for (const move of moves) {
    if (move.to !== null) continue;
    const cluster = stepping.rec.members[index]?.cluster;
    const held = cluster === undefined ? undefined : stepping.facts.heldRemoval?.(cluster, move.target);
    if (held !== undefined) {
      board.hold ??= { on: "deleteGuard", reason: held };
      return "wait";
    }
    const successor = successorOf(stepping, board, move);
    if (successor === "wait") return "wait";
    defer ||= successor === "defer";
  }
  return defer ? "defer" : "none";
}

function successorOf({ rec, facts }: Stepping, board: Board, move: Move): "go" | "wait" | "defer" {
  if (move.successor === undefined) return "go";
  board.bringers ??= bringersOf(rec.members);
  const at = board.bringers.get(move.target)?.find((index) => rec.members[index]?.cluster === move.successor);
  const status = at === undefined ? undefined : rec.clusters[at]?.status;
  if (status !== undefined && (isInFlight(status) || isUnstarted(status))) return "wait";
  if (status !== undefined && status.is !== "Done") return "defer";
  // Done is not enough: the new place may have fallen ill, or left the fleet, since.
  const fact = facts.of(move.successor)?.target(move.target);
  return fact !== undefined && isHealthyThere(fact) ? "go" : "defer";
}

function bringersOf(members: readonly PlannedCluster[]): ReadonlyMap<TargetKey, readonly number[]> {
  const bringers = new Map<TargetKey, number[]>();
  for (const [index, { moves }] of members.entries()) {
    for (const { target, to } of moves) {
      if (to !== null) bringers.set(target, [...(bringers.get(target) ?? []), index]);
    }
  }
  return bringers;
}

function settleStage(stepping: Stepping, count: Tally, at: number, held: boolean): void {
  const { rec } = stepping;
  const stage = rec.plan.stages[at];
  const run = rec.stages[at];
  if (stage === undefined || run === undefined) return;
  const to = stagePhase(stage, count, stageLimit(stage, run, count), held);
  if (isSame(to, run.status)) return;
  note(stepping, stageReason(to, count), { of: "stage", stage: at, to });
}

function stagePhase(stage: PlannedStage, count: Tally, limit: number | null, held: boolean): StagePhase {
  if (count.unstarted > 0 || held) return { phase: "Dispatching", limit, of: denominator(count) };
  if (count.inFlight > 0) return { phase: "Verifying" };
  if (count.size === count.left) return { phase: "Skipped" };
  const nothing = count.done === 0 && count.failed > 0;
  return { phase: nothing || (count.failed > 0 && stage.minSuccess > count.done) ? "Failed" : "Succeeded" };
}

function isSame(a: StagePhase, b: StagePhase): boolean {
  if (a.phase !== "Dispatching" || b.phase !== "Dispatching") return a.phase === b.phase;
  return a.limit === b.limit && a.of === b.of;
}

function stageReason(to: StagePhase, count: Tally): string {
  if (to.phase !== "Dispatching") return to.phase === "Verifying" ? "all are dispatched" : countText(count);
  return to.limit === null
    ? `${counted(to.of, "cluster")}, no limit`
    : `at most ${to.limit} of ${counted(to.of, "cluster")} at once`;
}

/** `7 done, 1 failed, 2 deferred`. */
function countText(count: Tally): string {
  const parts = [`${count.done} done`];
  if (count.failed > 0) parts.push(`${count.failed} failed`);
  if (count.deferred > 0) parts.push(`${count.deferred} deferred`);
  if (count.left > 0) parts.push(`${count.left} left out`);
  return parts.join(", ");
}

function settleRun(stepping: Stepping, board: Board): void {
  const { rec } = stepping;
  const all = total(board.counts);
  const { status } = rec;
  if (all.inFlight === 0 && rec.stages.every(isConcluded)) {
    note(stepping, countText(all), { of: "run", to: resultOf(all) });
  } else if (all.inFlight === 0 && board.hold !== undefined) {
    const { on, reason } = board.hold;
    if (status.phase === "Held" && status.on === on && status.reason === reason) return;
    note(stepping, reason, { of: "run", to: { phase: "Held", on, reason } });
  } else if (status.phase === "Held")
    note(stepping, "nothing holds it any more", { of: "run", to: { phase: "Running" } });
}

function resultOf(all: Tally): RunPhase {
  if (all.failed > 0) return { phase: all.done === 0 ? "Failed" : "SucceededWithFailures" };
  return { phase: all.deferred > 0 ? "SucceededWithDeferred" : "Succeeded" };
}
