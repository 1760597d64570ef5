import type { ClusterId, TargetKey } from "@capstan/proto";
import { type Recent, rateFull, recentOf, remember, stageFull } from "./budget.ts";
import { isInFlight, isUnstarted } from "./fold.ts";
import { closedTo, failedGateText, gateText } from "./gate-words.ts";
import { failedGate, workGates } from "./gates.ts";
import type { Change, ClusterFact, Facts, Move, PlannedCluster, PlannedStage, RunPhase } from "./model.ts";
import { isHealthyThere, offlineForMs, offlineStatus } from "./observe.ts";
import { breachText, countText, type Hold, settlePhase, settleStage, stop } from "./settle.ts";
import { watchSoak } from "./soak.ts";
import { dispatchOf, note, type Stepping, wake } from "./stepping.ts";
import { breachOf, isConcluded, isOpen, type Tally, tally, total } from "./tally.ts";

/** The stages' counts and unstarted clusters, kept true while dispatching. */
interface Board {
  readonly counts: Tally[];
  readonly recent: Recent;
  /** Indices of unstarted clusters by stage, in the order of dispatch. */
  readonly unstarted: number[][];
  hold: Hold | undefined;
  /** Who brings each target to its place; made when a removal first asks. */
  bringers: ReadonlyMap<TargetKey, readonly number[]> | undefined;
}

/** Stops after too many failures, else lets every open stage go on, then names the run's phase. */
export function advance(stepping: Stepping): void {
  const { rec, facts } = stepping;
  if (rec.status.phase === "Paused") return;
  watchSoaks(stepping);
  const counts = tally(rec);
  if (stopOnFailures(stepping, counts)) return;
  const recent = recentOf(rec, facts.now);
  const board: Board = { counts, unstarted: unstartedOf(stepping), hold: undefined, bringers: undefined, recent };
  for (const [at, stage] of rec.plan.stages.entries()) {
    // A stage that ends badly stops the run: those after it do not begin.
    if (rec.status.phase === "Running" || rec.status.phase === "Held") runStage(stepping, board, at, stage);
  }
  if (rec.status.phase === "Running" || rec.status.phase === "Held") {
    if (!stopOnGate(stepping)) settleRun(stepping, board);
  }
}

function unstartedOf({ rec }: Stepping): number[][] {
  const lists = rec.plan.stages.map((): number[] => []);
  for (const [index, run] of rec.clusters.entries()) {
    if (isUnstarted(run.status)) lists[run.stage]?.push(index);
  }
  return lists;
}

/** While a stage soaks, its clusters are looked at as if they were still under way. */
function watchSoaks(stepping: Stepping): void {
  const { rec } = stepping;
  for (const [at, { status }] of rec.stages.entries()) {
    if (status.phase === "Soaking" || status.phase === "AfterTasks") watchSoak(stepping, at);
  }
}

/** After a breach nothing new starts; what is in flight finishes, and the counts stay exact. */
function stopOnFailures(stepping: Stepping, counts: readonly Tally[]): boolean {
  const { rec } = stepping;
  const breach = rec.plan.strategy.onFailure === "continue" ? undefined : breachOf(rec.plan, counts);
  if (breach === undefined) return stopOnGate(stepping);
  stop(stepping, breachText(rec, breach));
  return true;
}

/** A gate that failed stops the run whatever its clusters endure: somebody asked for it. */
function stopOnGate(stepping: Stepping): boolean {
  const failed = failedGate(stepping.rec);
  if (failed === undefined) return false;
  stop(stepping, failedGateText(stepping.rec, failed));
  return true;
}

function runStage(stepping: Stepping, board: Board, at: number, stage: PlannedStage): void {
  const { rec } = stepping;
  const run = rec.stages[at];
  const count = board.counts[at];
  if (run === undefined || count === undefined || !isOpen(rec, at)) return;
  if (isConcluded(run) && count.unstarted === 0) return;
  const gate = workGates(stepping, at, "before");
  if (gate !== undefined) {
    board.hold ??= { on: "gate", reason: gateText(rec.plan, at, gate) };
    settlePhase(stepping, at, { to: { phase: "BeforeTasks" }, reason: gate.task.name });
    return;
  }
  do dispatchStage(stepping, board, at);
  while (isShort(stage, count) && replaceCanary(stepping, board, at));
  const held = isShort(stage, count) && hasUntouched(stepping, board, at);
  if (held) {
    board.hold ??= { on: "capacity", reason: `no cluster is connected that could be the canary` };
  }
  const waits = settleStage(stepping, board.counts, at, held);
  board.hold ??= waits;
}

function isLast(rec: Stepping["rec"], stage: number): boolean {
  return rec.plan.stages[stage]?.kind === "removals";
}

/** Whether the stage cannot reach its success any more, though nothing failed: its clusters were deferred or left. */
function isShort(stage: PlannedStage, count: Tally): boolean {
  return stage.kind === "canary" && count.done + count.inFlight + count.unstarted + count.failed < stage.minSuccess;
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
  const limit = stageFull(rec, board.counts, at);
  if (limit?.rule === "held-gate") board.hold ??= { on: "gate", reason: limit.text };
  if (limit?.rule === "unavailable") board.hold ??= { on: "budget", reason: limit.text };
  return limit === undefined;
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
  if (!fact.connected)
    return isOffline(stepping, fact) ? giveUp(stepping, count, index) || defer("offline", "offline") : false;
  if (isKept(stepping, board, member)) return false;
  const obstacle = obstacleOf(stepping, board, index, member.moves);
  if (obstacle === "wait") return false;
  if (obstacle === "defer") return defer("successor", "its target's new place is not healthy");
  const to = { is: "Dispatched", seq: fact.revision, ...(isIll(fact, member) ? { ill: true as const } : {}) } as const;
  note(stepping, `${rec.plan.stages[at]?.name ?? "stage"}: its turn`, { of: "cluster", index, cluster, to });
  count.unstarted -= 1;
  count.inFlight += 1;
  remember(board.recent, member, facts.now);
  const run = rec.clusters[index];
  if (run !== undefined) dispatch.push(dispatchOf(rec.plan.run, index, member, run));
  return true;
}

/** Where the strategy does not defer what is offline: it failed, or is left out. */
function giveUp(stepping: Stepping, count: Tally, index: number): boolean {
  const { rec } = stepping;
  const cluster = rec.members[index]?.cluster;
  const to = offlineStatus(rec.plan.strategy);
  if (cluster === undefined || to === undefined) return false;
  note(stepping, "offline", { of: "cluster", index, cluster, to });
  count.unstarted -= 1;
  if (to.is === "Failed") count.failed += 1;
  else count.left += 1;
  return true;
}

/** A window or a rate that keeps a cluster back; others of its stage may go. */
function isKept(stepping: Stepping, board: Board, member: PlannedCluster): boolean {
  const { rec, facts } = stepping;
  const closed = closedTo(rec.plan, member, facts);
  if (closed !== undefined) {
    board.hold ??= { on: "window", reason: `${member.cluster}: ${closed.text}` };
    wake(stepping, closed.until);
    return true;
  }
  const limit = rateFull(rec, board.recent, member);
  wake(stepping, limit?.until ?? null);
  return limit !== undefined;
}

/** Whether a target was not well before it is changed. */
function isIll(fact: ClusterFact, member: PlannedCluster): boolean {
  return member.moves.some(({ target, from }) => {
    const { reported } = fact.target(target);
    return from === null || (reported !== null && reported.health === "Degraded");
  });
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
