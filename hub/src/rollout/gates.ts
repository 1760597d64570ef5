import { type Instant, lastStart, nextStart } from "@capstan/proto";
import type {
  ApprovalTask,
  Comparison,
  MetricTask,
  NotifyTask,
  ScheduleTask,
  Task,
  WebhookTask,
} from "../documents/strategy-model.ts";
import type { Errand, PlannedStage, RunState, StageRun, TaskRun, TaskState, Verdict } from "./model.ts";
import { note, type Stepping, wake } from "./stepping.ts";

/** Which tasks of a stage: before its first cluster starts, or before it ends. */
export type Side = "before" | "after";

/** A task with its run and its place. */
export interface Gate {
  readonly task: Task;
  readonly run: TaskRun;
  /** Index into `StageRun.tasks`. */
  readonly index: number;
}

/** The tasks of one side, in their order. */
export function gatesOf(stage: PlannedStage, run: StageRun, side: Side): readonly Gate[] {
  const before = stage.before ?? [];
  const tasks = side === "before" ? before : (stage.after ?? []);
  const first = side === "before" ? 0 : before.length;
  return tasks.flatMap((task, at) => {
    const state = run.tasks[first + at];
    return state === undefined ? [] : [{ task, run: state, index: first + at }];
  });
}

/** The first task of a side that has not passed; undefined: all have. */
export function openGate(stage: PlannedStage, run: StageRun, side: Side): Gate | undefined {
  return gatesOf(stage, run, side).find((gate) => !isThrough(gate.run.is));
}

/** Whether nothing waits for it any more. */
export function isThrough(is: TaskState): boolean {
  return is === "Passed" || is === "Bypassed";
}

/** A gate that failed, and the place of its stage. */
export interface FailedGate {
  readonly stage: number;
  readonly gate: Gate;
}

/** The first task of the run that failed. */
export function failedGate(state: Pick<RunState, "plan" | "stages">): FailedGate | undefined {
  for (const [at, stage] of state.plan.stages.entries()) {
    const run = state.stages[at];
    if (run === undefined || run.tasks.length === 0) continue;
    const gates = [...gatesOf(stage, run, "before"), ...gatesOf(stage, run, "after")];
    const gate = gates.find((one) => one.run.is === "Failed");
    if (gate !== undefined) return { stage: at, gate };
  }
  return undefined;
}

/** Works on a side's tasks one after the other, as far as they go now; the one that is open is returned. */
export function workGates(stepping: Stepping, at: number, side: Side): Gate | undefined {
  for (;;) {
    const stage = stepping.rec.plan.stages[at];
    const run = stepping.rec.stages[at];
    if (stage === undefined || run === undefined) return undefined;
    const gate = openGate(stage, run, side);
    if (gate === undefined || gate.run.is === "Failed") return gate;
    if (!workOn(stepping, at, gate)) return gate;
  }
}

/** Whether something changed, so that it is to be looked at again. */
function workOn(stepping: Stepping, stage: number, gate: Gate): boolean {
  const { facts, rec } = stepping;
  const { task, run, index } = gate;
  const to = (is: TaskState, reason: string): true => {
    note(stepping, reason, { of: "task", stage, task: index, to: is });
    return true;
  };
  if (rec.plan.emergency !== undefined) return to("Bypassed", `emergency: ${rec.plan.emergency.reason}`);
  if (run.is === "Pending") return to("Waiting", `gate ${task.name} begins`);
  const seen = judge(task, run, { now: facts.now, plan: rec.plan });
  if (seen.to !== undefined) return to(seen.to, seen.reason);
  if (task.timeoutMs !== null) {
    const end = run.since + task.timeoutMs;
    if (facts.now >= end) {
      const text = `no answer within ${durationText(task.timeoutMs)}`;
      return task.onTimeout === "continue" ? to("Bypassed", text) : to("Failed", `${text}: ${seen.reason}`);
    }
    wake(stepping, end);
  }
  wake(stepping, seen.wakeAt);
  if (seen.ask) stepping.errands.push(errandOf(stepping, stage, gate));
  return false;
}

function errandOf({ rec }: Stepping, stage: number, { task, run, index }: Gate): Errand {
  const reading = run.good + run.bad + run.unclear;
  const work = task as MetricTask | WebhookTask | NotifyTask;
  return {
    id: `${rec.plan.run}/${stage}/${index}/${run.attempt}/${reading}`,
    run: rec.plan.run,
    stage,
    task: index,
    work,
  };
}

/** What a waiting task comes to; `ask`: the world is to be asked now. */
interface Judged {
  readonly to?: TaskState;
  /** Why it is over, or what it waits for. */
  readonly reason: string;
  readonly wakeAt: Instant | null;
  readonly ask?: boolean;
}

type At = { readonly now: Instant; readonly plan: Pick<RunState["plan"], "hash"> };

/** Pure: what the clock, people's words and readings say of a task. */
export function judge(task: Task, run: TaskRun, at: At): Judged {
  switch (task.kind) {
    case "approval":
      return approval(task, run, at);
    case "wait": {
      const end = run.since + task.forMs;
      const reason = `${durationText(task.forMs)} passed`;
      return at.now >= end ? { to: "Passed", reason, wakeAt: null } : { reason: "it waits", wakeAt: end };
    }
    case "schedule":
      return schedule(task, at.now);
    case "metric":
      return metric(task, run, at.now);
    case "webhook":
      return called(run, task.callback, at.now);
    case "notify":
      return called(run, false, at.now);
  }
}

/** Words that count: for this very plan, and not too old. */
export function valid(task: ApprovalTask, run: TaskRun, { now, plan }: At): readonly TaskRun["approvals"][number][] {
  return run.approvals.filter(
    (one) => one.plan === plan.hash && (task.expiresMs === null || now < one.at + task.expiresMs),
  );
}

function approval(task: ApprovalTask, run: TaskRun, at: At): Judged {
  const words = valid(task, run, at);
  const names = words.map(({ by }) => by).join(", ");
  if (words.length >= task.quorum) return { to: "Passed", reason: `approved by ${names}`, wakeAt: null };
  const expires = task.expiresMs === null ? [] : words.map((one) => one.at + (task.expiresMs ?? 0));
  const wakeAt = expires.length === 0 ? null : Math.min(...expires);
  return { reason: `${words.length} of ${task.quorum} approvals${names === "" ? "" : ` (${names})`}`, wakeAt };
}

const day = 86_400_000;

function schedule({ at, window }: ScheduleTask, now: Instant): Judged {
  if (at !== null && now < at) return { reason: `not before ${timeText(at)}`, wakeAt: at };
  if (window === null) return { to: "Passed", reason: "its time has come", wakeAt: null };
  const { schedule: cron, timeZone, durationMs } = window;
  const start = lastStart(cron, timeZone, { now, within: durationMs });
  if (typeof start === "number")
    return { to: "Passed", reason: `its window opened at ${timeText(start)}`, wakeAt: null };
  if (start !== undefined) return { to: "Failed", reason: start.message, wakeAt: null };
  const next = nextStart(cron, timeZone, { now, within: 40 * day });
  if (typeof next === "number") return { reason: `its window opens at ${timeText(next)}`, wakeAt: next };
  return { reason: `its window (${cron}) does not open within 40 days`, wakeAt: now + day };
}

function metric(task: MetricTask, run: TaskRun, now: Instant): Judged {
  const want = Math.max(1, Math.ceil(task.windowMs / task.everyMs));
  const good = run.good + (task.onInconclusive === "continue" ? run.unclear : 0);
  const bad = run.bad + (task.onInconclusive === "fail" ? run.unclear : 0);
  const last = run.last === "" ? "" : `: ${run.last}`;
  if (bad > task.failures)
    return { to: "Failed", reason: `${bad} bad readings, ${task.failures} allowed${last}`, wakeAt: null };
  if (good >= want) return { to: "Passed", reason: `${good} good readings${last}`, wakeAt: null };
  const due = run.readAt === null ? now : run.readAt + task.everyMs;
  const told = `${good} of ${want} good readings${last}`;
  return now >= due ? { reason: told, wakeAt: null, ask: true } : { reason: told, wakeAt: due };
}

/** A call that did not go through is made again, each time later. */
function called(run: TaskRun, callback: boolean, now: Instant): Judged {
  if (run.bad > 0) return { to: "Failed", reason: run.last, wakeAt: null };
  if (run.good > 0) return { to: "Passed", reason: run.last, wakeAt: null };
  if (run.sentAt !== null) {
    if (!callback) return { to: "Passed", reason: run.last, wakeAt: null };
    return { reason: "it was called and has not called back", wakeAt: null };
  }
  const last = run.last === "" ? "" : `: ${run.last}`;
  if (run.readAt === null) return { reason: "it is being called", wakeAt: null, ask: true };
  const due = run.readAt + Math.min(300_000, 5_000 * 2 ** Math.min(6, run.unclear - 1));
  const reason = `the call did not go through${last}; it is made again`;
  return now >= due ? { reason, wakeAt: null, ask: true } : { reason, wakeAt: due };
}

/** What a value means to a comparison; no number at all means nothing. */
export function verdictOf({ operator, value }: Comparison, found: number): Verdict {
  if (Number.isNaN(found)) return "unclear";
  const holds = {
    "<": found < value,
    "<=": found <= value,
    ">": found > value,
    ">=": found >= value,
    "==": found === value,
    "!=": found !== value,
  }[operator];
  return holds ? "good" : "bad";
}

/** When a waiting task will be over if all goes well; undefined: nobody can tell. */
export function gateUntil({ task, run }: Gate, now: Instant): Instant | undefined {
  if (run.is !== "Waiting" && run.is !== "Pending") return undefined;
  if (task.kind === "wait") return (run.is === "Pending" ? now : run.since) + task.forMs;
  if (task.kind === "metric") {
    const left = Math.max(1, Math.ceil(task.windowMs / task.everyMs)) - run.good;
    return (run.readAt ?? now) + left * task.everyMs;
  }
  if (task.kind !== "schedule") return undefined;
  return schedule(task, now).wakeAt ?? undefined;
}

/** `90 s`, `2 h`, `1 h 30 min`. */
export function durationText(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours >= 48) return `${Math.round(hours / 24)} d`;
  return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
}

function timeText(at: Instant): string {
  return `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;
}
