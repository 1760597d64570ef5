import { Fault } from "@capstan/proto";
import type { ApprovalTask } from "../documents/strategy-model.ts";
import { isOver, Recorder } from "./fold.ts";
import { type Gate, gatesOf, isThrough, valid } from "./gates.ts";
import type { Errand, Intent, RunState, VerbResult, Verdict } from "./model.ts";
import { isConcluded, isOpen } from "./tally.ts";

/** Who approves, and what they looked at. */
export interface Word {
  readonly groups: readonly string[];
  /** The plan's hash that they saw; empty: they did not say. */
  readonly plan: string;
  /** The stage and the gate; empty: the first that waits. */
  readonly stage: string;
  readonly gate: string;
}

interface Placed {
  readonly at: number;
  readonly gate: Gate;
}

/** A person's approval, for this plan alone. Throws `not-now`, `not-allowed` or `not-found`, saying what would do. */
export function approve(state: RunState, intent: Intent, word: Word): VerbResult {
  expectGoing(state, "approve");
  samePlan(state, word.plan);
  const { at, gate } = waiting(state, word, (one) => one.task.kind === "approval" || isCalledBack(one));
  if (gate.task.kind !== "approval") return passed(state, intent, { at, gate });
  mayApprove(state, intent, { task: gate.task, gate, word });
  return noted(state, (rec) =>
    rec.note(intent.now, intent.actor, intent.reason, {
      of: "approval",
      stage: at,
      task: gate.index,
      plan: state.plan.hash,
    }),
  );
}

/** A person's no: the gate fails, and the run stops. */
export function reject(state: RunState, intent: Intent, word: Word): VerbResult {
  expectGoing(state, "reject");
  samePlan(state, word.plan);
  const { at, gate } = waiting(state, word, (one) => one.task.kind === "approval" || isCalledBack(one));
  const because = intent.reason === "" ? "" : `: ${intent.reason}`;
  return noted(state, (rec) =>
    rec.note(intent.now, intent.actor, `rejected by ${intent.actor}${because}`, {
      of: "task",
      stage: at,
      task: gate.index,
      to: "Failed",
    }),
  );
}

/** Passes a gate without what it asks for: break-glass, so a reason is wanted. */
export function skipGate(state: RunState, intent: Intent, word: Pick<Word, "stage" | "gate">): VerbResult {
  expectGoing(state, "skip");
  if (intent.reason === "") {
    throw new Fault("bad-input", {
      message: "expected a reason for passing a gate, found none.",
      next: "Say --reason TEXT.",
    });
  }
  const { at, gate } = waiting(state, { ...word, groups: [], plan: "" }, () => true);
  return noted(state, (rec) => {
    rec.note(intent.now, intent.actor, intent.reason, { of: "task", stage: at, task: gate.index, to: "Bypassed" });
    endPause(rec, intent);
  });
}

/** Ends the soak of the stage that soaks now. */
export function promote(state: RunState, intent: Intent): VerbResult {
  const at = state.stages.findIndex(({ status }) => status.phase === "Soaking");
  if (at >= 0 && !isOver(state.status)) {
    return noted(state, (rec) => rec.note(intent.now, intent.actor, intent.reason, { of: "promote", stage: at }));
  }
  throw new Fault("not-now", {
    message: `no stage of ${state.plan.run} soaks.`,
    next: `See what it waits for: capstan rollout why ${state.plan.lane}`,
  });
}

/** What the world said to an errand. */
export interface Answer {
  readonly verdict: Verdict | "sent";
  readonly text: string;
}

/** Records an errand's answer; nothing, where the task does not wait for it any more. */
export function report(
  state: RunState,
  intent: Intent,
  of: { readonly errand: Errand; readonly answer: Answer },
): VerbResult {
  const { errand, answer } = of;
  const run = state.stages[errand.stage]?.tasks[errand.task];
  const attempt = Number(errand.id.split("/")[3]);
  if (run?.is !== "Waiting" || run.attempt !== attempt || isOver(state.status)) return { state, transitions: [] };
  const { stage, task } = errand;
  return noted(state, (rec) => {
    if (answer.verdict === "sent") rec.note(intent.now, intent.actor, answer.text, { of: "sent", stage, task });
    else rec.note(intent.now, intent.actor, answer.text, { of: "reading", stage, task, verdict: answer.verdict });
  });
}

/** A failed gate is asked again by a retry. */
export function reopenGates(rec: Recorder, { now, actor, reason }: Intent): boolean {
  let found = false;
  for (const [stage, { tasks }] of rec.stages.entries()) {
    for (const [task, { is }] of tasks.entries()) {
      if (is !== "Failed") continue;
      rec.note(now, actor, reason, { of: "task", stage, task, to: "Pending" });
      found = true;
    }
  }
  return found;
}

/** A run that its own failures paused goes on. */
export function endPause(rec: Recorder, { now, actor, reason }: Intent): void {
  if (rec.status.phase === "Paused" && rec.status.failure) {
    rec.note(now, actor, reason, { of: "run", to: { phase: "Running" } });
  }
}

function isCalledBack({ task }: Gate): boolean {
  return task.kind === "webhook" && task.callback;
}

function passed(state: RunState, { now, actor, reason }: Intent, { at, gate }: Placed): VerbResult {
  const text = reason === "" ? `called back by ${actor}` : reason;
  return noted(state, (rec) => rec.note(now, actor, text, { of: "task", stage: at, task: gate.index, to: "Passed" }));
}

function mayApprove(
  state: RunState,
  { actor, now }: Intent,
  { task, gate, word }: { readonly task: ApprovalTask; readonly gate: Gate; readonly word: Word },
): void {
  const refuse = (message: string, next: string): never => {
    throw new Fault("not-allowed", { message, next });
  };
  const { author } = state.plan.cause;
  if (task.notAuthor && actor !== "" && isSame(actor, author)) {
    refuse(
      `${actor} made this change and cannot approve it.`,
      `Ask somebody else: gate ${task.name} wants another pair of eyes.`,
    );
  }
  if (task.groups.length > 0 && !task.groups.some((group) => word.groups.includes(group))) {
    const has = word.groups.length === 0 ? "none" : word.groups.join(", ");
    refuse(
      `gate ${task.name} asks for ${task.groups.join(" or ")}; ${actor} has ${has}.`,
      "Ask somebody of these groups.",
    );
  }
  if (valid(task, gate.run, { now, plan: state.plan }).some(({ by }) => by === actor)) {
    refuse(`${actor} has approved gate ${task.name} already.`, `It wants ${task.quorum} different people.`);
  }
}

/** `mira` and `Mira <mira@example.com>` are one person. */
function isSame(actor: string, author: string): boolean {
  const names = [author, ...author.split(/[<>@]/)].map((part) => part.trim().toLowerCase());
  return names.includes(actor.toLowerCase()) || names.includes(actor.split("@")[0]?.toLowerCase() ?? actor);
}

function samePlan({ plan }: RunState, seen: string): void {
  if (seen === "" || plan.hash === seen || plan.hash.startsWith(`sha256:${seen}`)) return;
  throw new Fault("not-now", {
    message: `this approval is for plan ${seen.replace("sha256:", "").slice(0, 12)}; ${plan.lane} now runs plan ${plan.hash.slice(7, 19)}.`,
    next: "Look at the new plan, then approve that one.",
  });
}

/** The gate that is meant: named, or the first that waits in an open stage. */
function waiting(state: RunState, word: Word, fits: (gate: Gate) => boolean): Placed {
  const open: Placed[] = [];
  for (const [at, stage] of state.plan.stages.entries()) {
    const run = state.stages[at];
    if (run === undefined || (word.stage !== "" && stage.name !== word.stage)) continue;
    const gates = [...gatesOf(stage, run, "before"), ...gatesOf(stage, run, "after")];
    for (const gate of gates) {
      const named = word.gate === "" || gate.task.name === word.gate;
      // A gate of a later stage can be named, to pass it ahead of its time; unnamed, only what waits now is meant.
      const now = word.gate !== "" || (isOpen(state, at) && !isConcluded(run) && gate.run.is !== "Pending");
      if (named && now && !isThrough(gate.run.is) && fits(gate)) open.push({ at, gate });
    }
  }
  if (word.stage !== "" && !state.plan.stages.some(({ name }) => name === word.stage)) {
    const names = state.plan.stages.map(({ name }) => name).join(", ");
    throw new Fault("not-found", {
      message: `${state.plan.run} has no stage ${JSON.stringify(word.stage)}; it has ${names}.`,
    });
  }
  const [first] = open;
  if (first !== undefined) return first;
  const what = word.gate === "" ? "no gate of that kind waits" : `no gate ${JSON.stringify(word.gate)} waits`;
  throw new Fault("not-now", {
    message: `${what} in ${state.plan.run}.`,
    next: `See what it waits for: capstan rollout why ${state.plan.lane}`,
  });
}

function expectGoing(state: RunState, verb: string): void {
  if (["Planned", "Running", "Held", "Paused"].includes(state.status.phase)) return;
  throw new Fault("not-now", {
    message: `${verb} expects a run that goes on; ${state.plan.run} is ${state.status.phase}.`,
    next: `See: capstan rollout show ${state.plan.lane}`,
  });
}

function noted(state: RunState, act: (rec: Recorder) => void): VerbResult {
  const rec = new Recorder(state);
  act(rec);
  return { state: rec.state(), transitions: rec.transitions };
}
