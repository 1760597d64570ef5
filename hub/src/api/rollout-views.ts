import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Pin as PinMessage, PinSchema } from "@capstan/proto/application";
import { type RolloutLine, RolloutLineSchema } from "@capstan/proto/fleet";
import {
  type GateView,
  GateViewSchema,
  type RolloutView,
  RolloutViewSchema,
  type StageView,
  StageViewSchema,
} from "@capstan/proto/rollout";
import { isOver } from "../rollout/fold.ts";
import { gatesOf, judge } from "../rollout/gates.ts";
import type { Amount, ClusterRun, Facts, Pin, RunState } from "../rollout/model.ts";
import { soakUntil } from "../rollout/soak.ts";
import { whyCluster, whyStage } from "../rollout/why.ts";
import type { LaneStanding } from "./port.ts";
import { laneReason } from "./reasons.ts";
import { knownRelease, runRelease } from "./releases.ts";
import type { Seen } from "./seen.ts";

/** A rollout with its stages and clusters. `whole` false leaves the clusters' messages of waiting ones out: for lists. */
export function rolloutView(run: RunState, standing: LaneStanding, seen: Seen): RolloutView {
  const { plan } = run;
  const waits = run === standing.run && !isOver(run.status) ? standing.reason : null;
  return create(RolloutViewSchema, {
    id: plan.run,
    lane: seen.text(plan.lane),
    release: runRelease(run, standing),
    ...(plan.previous === null ? {} : { previous: knownRelease(plan.previous, standing) }),
    state: run.status.phase,
    actor: plan.actor,
    startedAt: timestampFromMs(run.startedAt ?? plan.plannedAt),
    ...(run.endedAt === null ? {} : { endedAt: timestampFromMs(run.endedAt) }),
    strategy: plan.strategy.name,
    stages: stageViews(run, seen),
    ...(waits === null ? {} : { reason: laneReason(waits, plan.lane, seen) }),
    planHash: plan.hash,
    etag: rolloutEtag(run),
    warnings: [...(plan.warnings ?? [])],
    emergency: plan.emergency === undefined ? "" : `${plan.emergency.by}: ${plan.emergency.reason}`,
  });
}

/** Changes with every transition. */
export function rolloutEtag({ plan, seq }: RunState): string {
  return `${plan.run}.${seq}`;
}

function stageViews(run: RunState, seen: Seen): StageView[] {
  const facts = seen.facts(run.plan.lane);
  const over = isOver(run.status);
  const stages = run.plan.stages.map((stage, at) => {
    const waits = over ? null : whyStage(run, at, facts);
    return create(StageViewSchema, {
      name: stage.name,
      state: run.stages[at]?.status.phase ?? "Pending",
      maxConcurrency: amount(stage.maxConcurrency, stage.size, Math.floor),
      maxFailures: amount(stage.maxFailures, stage.size, Math.ceil),
      ...(waits === null ? {} : { reason: laneReason(waits, run.plan.lane, seen) }),
      gates: gateViews(run, at, facts),
      ...soakOf(run, at),
    });
  });
  for (const [index, { cluster }] of run.members.entries()) {
    const member = run.clusters[index];
    if (member === undefined) continue;
    const waits = over ? null : whyCluster(run, index, facts);
    const told = messageOf(member) || (waits === null ? "" : seen.plain(waits.text, run.plan.lane));
    stages[member.stage]?.clusters.push({
      $typeName: "capstan.v1.RolloutClusterView",
      cluster,
      state: member.status.is,
      since: timestampFromMs(member.since),
      message: told,
    });
  }
  return stages;
}

function gateViews(run: RunState, at: number, { now }: Facts): GateView[] {
  const stage = run.plan.stages[at];
  const stageRun = run.stages[at];
  if (stage === undefined || stageRun === undefined) return [];
  return (["before", "after"] as const).flatMap((side) =>
    gatesOf(stage, stageRun, side).map(({ task, run: state }) =>
      create(GateViewSchema, {
        name: task.name,
        kind: task.kind,
        state: state.is,
        since: timestampFromMs(state.since),
        message: state.is === "Waiting" ? judge(task, state, { now, plan: run.plan }).reason : state.reason,
        approvedBy: state.approvals.map(({ by }) => by),
        after: side === "after",
      }),
    ),
  );
}

function soakOf(run: RunState, at: number) {
  const until = run.stages[at]?.status.phase === "Soaking" ? soakUntil(run, at) : null;
  return until === null ? {} : { soakUntil: timestampFromMs(until) };
}

/** 0: no limit (`maxConcurrency`); for failures a stage without a limit endures all of its clusters. */
function amount(given: Amount | null, size: number, round: (value: number) => number): number {
  if (given === null) return 0;
  return "count" in given ? given.count : Math.max(1, round((given.percent * size) / 100));
}

function messageOf({ status }: ClusterRun): string {
  switch (status.is) {
    case "Failed":
      return status.message;
    case "Skipped":
      return status.reason;
    case "Deferred":
      return `deferred: ${{ offline: "it was offline", cordoned: "it is cordoned", successor: "its new place is not healthy" }[status.because]}`;
    default:
      return "";
  }
}

/** A lane's pin. */
export function pinView(pin: Pin, standing: LaneStanding): PinMessage {
  return create(PinSchema, {
    release: knownRelease(pin.release, standing),
    actor: pin.by,
    since: timestampFromMs(pin.at),
    reason: pin.reason,
  });
}

/** A running rollout in one line: the stage under way is the first that has not ended and does not stand aside. */
export function rolloutLine(run: RunState, standing: LaneStanding, seen: Seen): RolloutLine {
  const { plan } = run;
  const open = run.stages.findIndex(({ status }, at) => !isEnded(status.phase) && plan.stages[at]?.aside !== true);
  const at = open < 0 ? run.stages.findIndex(({ status }) => !isEnded(status.phase)) : open;
  const stage = at < 0 ? plan.stages.length - 1 : at;
  const mine = run.clusters.filter((each) => each.stage === stage);
  return create(RolloutLineSchema, {
    id: plan.run,
    lane: seen.text(plan.lane),
    release: runRelease(run, standing),
    state: run.status.phase,
    stage: stage + 1,
    stages: plan.stages.length,
    stageName: plan.stages[stage]?.name ?? "",
    done: mine.filter(({ status }) => status.is === "Done" || status.is === "Removed").length,
    clusters: mine.length,
    ...(standing.reason === null ? {} : { reason: laneReason(standing.reason, plan.lane, seen) }),
  });
}

function isEnded(phase: string): boolean {
  return ["Succeeded", "Failed", "Skipped", "Aborted"].includes(phase);
}
