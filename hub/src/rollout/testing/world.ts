import type { Instant } from "@capstan/proto";
import { begin, fold, isOver } from "../fold.ts";
import { type Answer, report } from "../gate-verbs.ts";
import type { Dispatch, Errand, Plan, RunId, RunState, StepResult, Transition, VerbResult } from "../model.ts";
import { step } from "../step.ts";
import type { SimFleet } from "./fleet.ts";

/** One run with its record. */
export interface Recorded {
  readonly plan: Plan;
  state: RunState;
  readonly record: Transition[];
}

/** What a world tells whoever watches. */
export interface Watch {
  transitions(run: RunId, lines: readonly Transition[]): void;
  /** Whether the hub dies between recording and writing these. */
  dies?(dispatch: readonly Dispatch[]): boolean;
  stepped?(run: Recorded, before: RunState, result: StepResult): void;
}

/** Steps every run of a fleet through virtual time, as the shell would. */
export class World {
  readonly runs = new Map<RunId, Recorded>();
  readonly fleet: SimFleet;
  /** What the world says to a gate, by its name, whenever it is asked. */
  readonly answers = new Map<string, Answer>();
  readonly #watch: Watch;

  constructor(fleet: SimFleet, watch: Watch) {
    this.fleet = fleet;
    this.#watch = watch;
  }

  add(plan: Plan): Recorded {
    const run: Recorded = { plan, state: begin(plan), record: [] };
    this.runs.set(plan.run, run);
    return run;
  }

  take(run: Recorded, { state, transitions }: VerbResult): void {
    run.state = state;
    run.record.push(...transitions);
    this.#watch.transitions(run.plan.run, transitions);
  }

  /** A hub restarts: all that it knows are plans and records, as JSON. */
  restart(): void {
    this.fleet.listeningSince = this.fleet.now;
    for (const run of this.runs.values()) {
      const plan = JSON.parse(JSON.stringify(run.plan)) as Plan;
      run.state = fold(plan, JSON.parse(JSON.stringify(run.record)) as Transition[]);
    }
  }

  /** Lets time pass until `end`, stepping whenever something may have changed. */
  until(end: Instant): void {
    for (let guard = 0; guard < 100_000; guard += 1) {
      this.fleet.tick(this.fleet.now);
      const { busy, wakeAt } = this.round();
      if (busy) continue;
      const times = [wakeAt, this.fleet.nextChange(), end].filter((at) => at !== null);
      const next = Math.min(...times);
      if (this.fleet.now >= end) return;
      this.fleet.tick(Math.max(this.fleet.now + 1, Math.min(next, end)));
    }
    throw new Error("the run never comes to rest");
  }

  /** One step of every run that goes on. */
  round(): { readonly busy: boolean; readonly wakeAt: Instant | null } {
    let busy = false;
    let wakeAt: Instant | null = null;
    for (const run of this.runs.values()) {
      if (isOver(run.state.status)) continue;
      const told = run.record.length;
      const result = this.#step(run);
      busy ||= result.transitions.length > 0 || result.dispatch.length > 0 || run.record.length > told;
      if (result.wakeAt !== null && (wakeAt === null || result.wakeAt < wakeAt)) wakeAt = result.wakeAt;
    }
    return { busy, wakeAt };
  }

  /** Asked and answered at once; without an answer the gate's server is silent. */
  #ask(run: Recorded, errand: Errand): void {
    const answer = this.answers.get(errand.work.name);
    if (answer === undefined) return;
    this.take(run, report(run.state, { now: this.fleet.now, actor: "capstan", reason: "" }, { errand, answer }));
  }

  #step(run: Recorded): StepResult {
    const before = run.state;
    const { status } = before;
    const child = status.phase === "RollingBack" ? this.runs.get(status.run)?.state.status : undefined;
    const result = step(before, this.fleet.facts(child));
    this.take(run, result);
    this.#watch.stepped?.(run, before, result);
    if (this.#watch.dies?.(result.dispatch) === true) this.restart();
    else for (const one of result.dispatch) this.fleet.dispatch(one);
    for (const errand of result.errands) this.#ask(run, errand);
    return result;
  }
}
