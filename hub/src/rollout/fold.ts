import type { Instant } from "@capstan/proto";
import { assertNever, Fault } from "@capstan/proto";
import type {
  Change,
  ClusterRun,
  ClusterStatus,
  Plan,
  PlannedCluster,
  PlannedStage,
  RunPhase,
  RunState,
  StageRun,
  TaskRun,
  Transition,
} from "./model.ts";

/** A planned run on which nothing has happened yet. */
export function begin(plan: Plan): RunState {
  const since = plan.plannedAt;
  return {
    plan,
    seq: 0,
    status: { phase: "Planned" },
    since,
    startedAt: null,
    endedAt: null,
    stages: plan.stages.map((stage) => freshStage(stage, since)),
    members: plan.clusters,
    clusters: plan.clusters.map((member) => untouched(member, since)),
  };
}

function freshStage({ before = [], after = [] }: PlannedStage, since: Instant): StageRun {
  const tasks = [...before, ...after].map(() => freshTask(since));
  return { status: { phase: "Pending" }, since, unlocked: false, promoted: false, tasks };
}

function freshTask(since: Instant, attempt = 0): TaskRun {
  const counts = { good: 0, bad: 0, unclear: 0, readAt: null, last: "", sentAt: null };
  return { is: "Pending", since, reason: "", approvals: [], ...counts, attempt };
}

function untouched(member: PlannedCluster, since: Instant): ClusterRun {
  const { stage } = member;
  const clock = { dispatchedAt: null, dispatchedSeq: 0, spentMs: 0, clockFrom: null };
  return { stage, status: { is: "Pending" }, since, attempt: 0, ...clock };
}

/** The state that the record tells. Throws `internal` when a line is missing or doubled. */
export function fold(plan: Plan, transitions: readonly Transition[]): RunState {
  return apply(begin(plan), transitions);
}

/** The state after more lines of the record. */
export function apply(state: RunState, transitions: readonly Transition[]): RunState {
  const recorder = new Recorder(state);
  for (const transition of transitions) recorder.replay(transition);
  return recorder.state();
}

/** Whether a run can still change. */
export function isOver(status: RunPhase): boolean {
  return overPhases.has(status.phase);
}

const overPhases: ReadonlySet<RunPhase["phase"]> = new Set([
  "Aborted",
  "RolledBack",
  "RollbackFailed",
  "Succeeded",
  "SucceededWithDeferred",
  "SucceededWithFailures",
  "Failed",
  "Superseded",
]);

/** Whether the cluster has content of this run on its way, and nobody knows yet how it ends. */
export function isInFlight(status: ClusterStatus): boolean {
  return inFlight.has(status.is);
}

const inFlight: ReadonlySet<ClusterStatus["is"]> = new Set([
  "Dispatched",
  "Acked",
  "Applying",
  "Progressing",
  "Healthy",
]);

/** Whether its turn has not come yet. */
export function isUnstarted(status: ClusterStatus): boolean {
  return status.is === "Pending" || status.is === "Waiting";
}

/** Whether the deadline clock of a cluster goes, and what it shows. */
export function elapsedMs(run: ClusterRun, now: Instant): number {
  return run.spentMs + (run.clockFrom === null ? 0 : Math.max(0, now - run.clockFrom));
}

/**
 * A state being changed by transitions, its lists copied on the first write. Deciding and replaying go through the same
 * `replay`, so that a record always tells the state that was acted on.
 */
export class Recorder {
  readonly plan: Plan;
  readonly transitions: Transition[] = [];
  readonly #before: RunState;
  #status: RunPhase;
  #since: Instant;
  #startedAt: Instant | null;
  #endedAt: Instant | null;
  #seq: number;
  #stages: StageRun[] | undefined;
  #members: PlannedCluster[] | undefined;
  #clusters: ClusterRun[] | undefined;

  constructor(state: RunState) {
    this.plan = state.plan;
    this.#before = state;
    this.#status = state.status;
    this.#since = state.since;
    this.#startedAt = state.startedAt;
    this.#endedAt = state.endedAt;
    this.#seq = state.seq;
  }

  get status(): RunPhase {
    return this.#status;
  }

  get stages(): readonly StageRun[] {
    return this.#stages ?? this.#before.stages;
  }

  get members(): readonly PlannedCluster[] {
    return this.#members ?? this.#before.members;
  }

  get clusters(): readonly ClusterRun[] {
    return this.#clusters ?? this.#before.clusters;
  }

  /** The state as it stands; the one before, when nothing happened. */
  state(): RunState {
    if (this.#seq === this.#before.seq) return this.#before;
    return {
      plan: this.plan,
      seq: this.#seq,
      status: this.#status,
      since: this.#since,
      startedAt: this.#startedAt,
      endedAt: this.#endedAt,
      stages: this.stages,
      members: this.members,
      clusters: this.clusters,
    };
  }

  /** Records a change and makes it. */
  note(at: Instant, actor: string, reason: string, change: Change): void {
    const transition = { seq: this.#seq + 1, at, actor, reason, change };
    this.transitions.push(transition);
    this.replay(transition);
  }

  /** Makes a recorded change. */
  replay(line: Transition): void {
    const { seq, at, change } = line;
    if (seq !== this.#seq + 1) {
      throw new Fault("internal", { message: `expected line ${this.#seq + 1} of the record, found ${seq}.` });
    }
    this.#seq = seq;
    switch (change.of) {
      case "run":
        this.#run(change.to, at);
        return;
      case "stage":
        this.#stage(change.stage, { status: change.to, since: at });
        return;
      case "unlock":
        this.#stage(change.stage, { unlocked: true });
        return;
      case "promote":
        this.#stage(change.stage, { promoted: true });
        return;
      case "task":
      case "approval":
      case "reading":
      case "sent":
        this.#task(change.stage, change.task, (task) => progressed(task, change, line));
        return;
      case "cluster":
        this.#cluster(change.index, (run) => moved(run, change.to, at));
        return;
      case "clock":
        this.#cluster(change.index, (run) => clocked(run, change.running, at));
        return;
      case "restage":
        this.#cluster(change.index, (run) => ({ ...run, stage: change.stage }));
        return;
      case "join":
        this.#members ??= [...this.#before.members];
        this.#members.push(change.member);
        this.#clusters ??= [...this.#before.clusters];
        this.#clusters.push(untouched(change.member, at));
        return;
      default:
        assertNever(change, "change");
    }
  }

  #run(to: RunPhase, at: Instant): void {
    this.#status = to;
    this.#since = at;
    if (to.phase === "Running") this.#startedAt ??= at;
    if (isOver(to)) this.#endedAt = at;
  }

  #stage(index: number, change: Partial<StageRun>): void {
    this.#stages ??= [...this.#before.stages];
    const stage = this.#stages[index];
    if (stage === undefined) throw new Fault("internal", { message: `the run has no stage ${index}.` });
    const same = change.status?.phase === stage.status.phase;
    this.#stages[index] = { ...stage, ...change, ...(same ? { since: stage.since } : {}) };
  }

  #task(stage: number, index: number, change: (task: TaskRun) => TaskRun): void {
    const tasks = this.stages[stage]?.tasks ?? [];
    const task = tasks[index];
    if (task === undefined) throw new Fault("internal", { message: `stage ${stage} has no task ${index}.` });
    this.#stage(stage, { tasks: tasks.map((each, at) => (at === index ? change(task) : each)) });
  }

  #cluster(index: number, change: (run: ClusterRun) => ClusterRun): void {
    this.#clusters ??= [...this.#before.clusters];
    const run = this.#clusters[index];
    if (run === undefined) throw new Fault("internal", { message: `the run has no cluster ${index}.` });
    this.#clusters[index] = change(run);
  }
}

function moved(run: ClusterRun, to: ClusterStatus, at: Instant): ClusterRun {
  if (to.is === "Dispatched" && to.recall !== true) {
    const dispatch = { dispatchedAt: at, dispatchedSeq: to.seq, spentMs: 0, clockFrom: at, ill: to.ill === true };
    return { ...run, ...dispatch, status: to, since: at, attempt: run.attempt + 1 };
  }
  if (!isInFlight(to)) return { ...clocked(run, false, at), status: to, since: at };
  // The deadline counts from the acknowledgement; one that comes back from offline goes on with what it had.
  const acked = run.status.is === "Dispatched" && to.is !== "Dispatched";
  const clock = acked ? { spentMs: 0, clockFrom: at } : { clockFrom: run.clockFrom ?? at };
  return { ...run, ...clock, status: to, since: at };
}

function clocked(run: ClusterRun, running: boolean, at: Instant): ClusterRun {
  return { ...run, spentMs: elapsedMs(run, at), clockFrom: running ? at : null };
}

type TaskChange = Extract<Change, { of: "task" | "approval" | "reading" | "sent" }>;

/** A task after one line of the record; beginning anew forgets what was counted. */
function progressed(task: TaskRun, change: TaskChange, { at, actor, reason }: Transition): TaskRun {
  switch (change.of) {
    case "task": {
      const begun = change.to === "Waiting" ? { ...freshTask(at, task.attempt + 1) } : task;
      return change.to === "Pending" ? freshTask(at, task.attempt) : { ...begun, is: change.to, since: at, reason };
    }
    case "approval":
      return { ...task, approvals: [...task.approvals, { by: actor, at, plan: change.plan }] };
    case "reading":
      return { ...task, [change.verdict]: task[change.verdict] + 1, readAt: at, last: reason };
    case "sent":
      return { ...task, sentAt: at, last: reason };
  }
}
