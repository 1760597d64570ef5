import type { Instant } from "@capstan/proto";
import { durationText, type FailedGate, type Gate, gateUntil, judge, openGate } from "./gates.ts";
import type { Closed, Facts, Plan, PlannedCluster, Reason, Rule, RunState } from "./model.ts";

/** What a gate waits for: `stage prod waits for gate signoff: 1 of 2 approvals`. Steady while nothing happens. */
export function gateText(plan: Plan, at: number, { task }: Gate): string {
  return `${plan.stages[at]?.name ?? "stage"} waits for gate ${task.name}`;
}

/** `gate error-rate of stage prod failed: 2 bad readings, 0 allowed`. */
export function failedGateText({ plan }: Pick<RunState, "plan">, { stage, gate }: FailedGate): string {
  return `gate ${gate.task.name} of stage ${plan.stages[stage]?.name} failed: ${gate.run.reason}`;
}

/** Why a stage's tasks keep it; null when none does. */
export function whyGate(state: RunState, at: number, facts: Facts): Reason | null {
  const stage = state.plan.stages[at];
  const run = state.stages[at];
  if (stage === undefined || run === undefined || run.tasks.length === 0) return null;
  const side = run.status.phase === "AfterTasks" ? "after" : "before";
  const gate = openGate(stage, run, side);
  return gate === undefined ? null : gateReason(state, { at, gate, now: facts.now });
}

function gateReason(
  { plan }: RunState,
  { at, gate, now }: { readonly at: number; readonly gate: Gate; readonly now: Instant },
): Reason {
  const { task, run } = gate;
  const until = gateUntil(gate, now);
  const end = task.timeoutMs === null || run.is !== "Waiting" ? null : run.since + task.timeoutMs;
  const left =
    end === null
      ? ""
      : `; it ${task.onTimeout === "fail" ? "fails" : "is passed over"} in ${durationText(Math.max(0, end - now))}`;
  const told = run.is === "Failed" ? run.reason : judge(task, run, { now, plan }).reason;
  return {
    rule: run.is === "Failed" ? "gate-failed" : (`gate-${task.kind}` satisfies Rule),
    text: `${gateText(plan, at, gate)}: ${told}${left}`,
    since: run.since,
    unblock: unblockOf(plan, at, gate),
    clusters: [],
    ...(until === undefined ? {} : { until }),
  };
}

function unblockOf(plan: Plan, at: number, { task, run }: Gate): string {
  const stage = plan.stages[at]?.name ?? "STAGE";
  const named = `${plan.lane} --stage "${stage}" --gate "${task.name}"`;
  if (run.is === "Failed") return `capstan rollout retry ${plan.lane}, or capstan rollout skip ${named} --reason TEXT`;
  switch (task.kind) {
    case "approval": {
      const who = task.groups.length === 0 ? "" : ` by somebody of ${task.groups.join(" or ")}`;
      return `capstan rollout approve ${plan.lane}${who}${task.notAuthor ? ", not by its author" : ""}`;
    }
    case "wait":
    case "schedule":
      return `its time comes, or capstan rollout skip ${named} --reason TEXT`;
    case "metric":
      return `readings that are ${task.compare.operator} ${task.compare.value}`;
    case "webhook":
      return task.callback ? "the call back, or capstan rollout approve" : "its server answers with success";
    case "notify":
      return "its server answers with success";
  }
}

/** The window that keeps a cluster of a run; a rollback and an emergency pass. */
export function closedTo(plan: Plan, member: PlannedCluster, facts: Facts): Closed | undefined {
  if (plan.origin.kind === "rollback" || plan.emergency !== undefined) return undefined;
  return facts.closed?.(member.cluster, member.moves);
}
