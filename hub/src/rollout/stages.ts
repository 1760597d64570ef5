import { type ClusterId, Fault, type TargetKey } from "@capstan/proto";
import { stagedDrafts, Unselected } from "./groups.ts";
import type { Amount, Hash, PlannedCluster, PlannedStage, StageKind, Strategy } from "./model.ts";
import { counted, matches, type RollingStep } from "./strategy.ts";
import type { ClusterWork, Work } from "./work.ts";

export type { ClusterWork, Work } from "./work.ts";

export interface Layout {
  readonly stages: readonly PlannedStage[];
  readonly clusters: readonly PlannedCluster[];
  readonly unmatched: readonly TargetKey[];
  readonly warnings: readonly string[];
}

/** What else than clusters decides. */
export interface LayoutInput {
  /** Changes the order by hash with each release. */
  readonly seed: string;
  readonly hash: Hash;
}

/** One stage in the making. */
interface Draft {
  readonly name: string;
  readonly kind: StageKind;
  readonly maxConcurrency: Amount | null;
  readonly minSuccess: number;
  readonly work: readonly { readonly cluster: ClusterId; readonly changes: readonly Work[] }[];
}

/**
 * Lays clusters, given in the order of their names, into the stages of the strategy; removals come last. Throws `bad-input`
 * where the strategy refuses clusters that no stage selects.
 */
export function layOut(strategy: Strategy, clusters: readonly ClusterWork[], input: LayoutInput): Layout {
  const changing = clusters.filter((one) => one.changes.length > 0);
  const made = laidOf(strategy, changing, input);
  const { stages, unmatched, warnings } = made;
  const planned = [...made.planned];
  const removing = clusters.filter((one) => one.removals.length > 0);
  if (removing.length > 0) {
    const work = removing.map(({ cluster }) => ({ cluster, changes: [] }));
    stages.push(stageOf({ name: "removals", kind: "removals", maxConcurrency: null, minSuccess: 0, work }, strategy));
    for (const { cluster, removals } of removing) {
      planned.push({
        cluster,
        stage: made.stages.length - 1,
        moves: removals,
        deadlineMs: strategy.progressDeadlineMs,
      });
    }
  }
  return { stages, clusters: planned, unmatched: unmatched.sort(), warnings };
}

interface Laid {
  readonly stages: PlannedStage[];
  readonly planned: readonly PlannedCluster[];
  readonly unmatched: TargetKey[];
  readonly warnings: readonly string[];
}

function laidOf(strategy: Strategy, changing: readonly ClusterWork[], input: LayoutInput): Laid {
  if (strategy.shape.kind === "staged") return staged(strategy, strategy.shape, changing, input);
  const unmatched: TargetKey[] = [];
  const drafts = draftsOf(strategy, changing, unmatched);
  const stages = drafts.map((draft) => stageOf(draft, strategy));
  const planned = drafts.flatMap((draft, stage) => draft.work.map((one) => plannedOf(one, stage, strategy)));
  return { stages, planned, unmatched, warnings: [] };
}

type StagedShape = Extract<Strategy["shape"], { kind: "staged" }>;

function staged(
  strategy: Strategy,
  shape: StagedShape,
  changing: readonly ClusterWork[],
  { seed, hash }: LayoutInput,
): Laid {
  try {
    const { stages, unmatched: policy } = shape;
    const { drafts, unmatched, warnings } = stagedDrafts({ stages, unmatched: policy, strategy, seed, hash }, changing);
    return {
      stages: drafts.map(({ stage, work }) => ({ ...stage, size: work.length })),
      planned: drafts.flatMap(({ work }, stage) =>
        work.map((one) => rated(one, plannedOf(one, stage, strategy), strategy)),
      ),
      unmatched: [...unmatched],
      warnings,
    };
  } catch (thrown) {
    if (!(thrown instanceof Unselected)) throw thrown;
    throw new Fault("bad-input", {
      message: `no stage of ${strategy.name} selects ${thrown.clusters.slice(0, 5).join(", ")} (${counted(thrown.clusters.length, "cluster")}), and unmatched is fail.`,
      next: "Add a stage for them, or write unmatched: last-stage.",
      cause: thrown,
    });
  }
}

function rated(work: ClusterWork, planned: PlannedCluster, { rateLimit }: Strategy): PlannedCluster {
  const per = rateLimit?.per;
  return per === null || per === undefined ? planned : { ...planned, rateKey: work.labels[per.label] ?? "" };
}

function draftsOf(strategy: Strategy, changing: readonly ClusterWork[], unmatched: TargetKey[]): readonly Draft[] {
  const { shape } = strategy;
  if (shape.kind === "all") {
    const concurrency = strategy.maxConcurrency;
    return [{ name: "all", kind: "all", maxConcurrency: concurrency, minSuccess: 0, work: changing }];
  }
  if (shape.kind === "rolling") return rolling(shape.steps, changing, unmatched);
  if (shape.kind === "staged") return [];
  return carefulDrafts(shape.canary, shape.step, changing);
}

/** "new" is there even when empty: clusters that join later take it. */
function carefulDrafts(canary: number, step: Amount, changing: readonly ClusterWork[]): readonly Draft[] {
  const isNew = (one: ClusterWork) => one.changes.every(({ move }) => move.from === null);
  const drafts: Draft[] = [draft("new", "new", changing.filter(isNew))];
  const changed = changing.filter((one) => !isNew(one));
  const first = new Set([...changed].sort(byCanary).slice(0, canary));
  if (first.size > 0) {
    drafts.push({
      ...draft(
        "canary",
        "canary",
        changed.filter((one) => first.has(one)),
      ),
      minSuccess: first.size,
    });
  }
  const rest = changed.filter((one) => !first.has(one));
  const sizes = stepSizes(rest.length, step);
  let from = 0;
  for (const [at, size] of sizes.entries()) {
    drafts.push(draft(`step ${at + 1}/${sizes.length}`, "step", rest.slice(from, from + size)));
    from += size;
  }
  return drafts;
}

/** A preferred canary first, then any that is connected; the sort is stable, so names decide the rest. */
function byCanary(a: ClusterWork, b: ClusterWork): number {
  const rank = (one: ClusterWork) => (one.connected ? 0 : 2) + (one.canary ? 0 : 1);
  return rank(a) - rank(b);
}

/** Sizes rounded down, the remainder spread over the later steps, so that no small tail is left. */
function stepSizes(rest: number, step: Amount): readonly number[] {
  if (rest === 0) return [];
  const wanted =
    "count" in step ? Math.ceil(rest / Math.max(1, step.count)) : Math.ceil(100 / Math.max(1, step.percent));
  const steps = Math.min(rest, Math.max(1, wanted));
  const size = Math.floor(rest / steps);
  const larger = rest - size * steps;
  return Array.from({ length: steps }, (_, at) => size + (at >= steps - larger ? 1 : 0));
}

/** The first step whose expressions all select a target takes it; a target that none selects never moves (Argo CD). */
function rolling(steps: readonly RollingStep[], changing: readonly ClusterWork[], unmatched: TargetKey[]): Draft[] {
  const work = steps.map((): { cluster: ClusterId; changes: Work[] }[] => []);
  for (const { cluster, changes } of changing) {
    for (const change of changes) {
      const at = steps.findIndex((step) => step.match.every((match) => matches(match, change.labels)));
      const stage = work[at];
      if (stage === undefined) unmatched.push(change.move.target);
      else if (stage.at(-1)?.cluster === cluster) stage.at(-1)?.changes.push(change);
      else stage.push({ cluster, changes: [change] });
    }
  }
  return steps.flatMap((step, at) => {
    const members = work[at] ?? [];
    if (members.length === 0) return [];
    return [{ ...draft(`step ${at + 1}`, "step", members), maxConcurrency: step.maxUpdate }];
  });
}

function draft(name: string, kind: StageKind, work: Draft["work"]): Draft {
  return { name, kind, maxConcurrency: null, minSuccess: 0, work };
}

function stageOf(draft: Draft, strategy: Strategy): PlannedStage {
  const { name, kind, maxConcurrency, minSuccess } = draft;
  const aside = kind === "new";
  // A sick new cluster must not stop the changes of the others.
  const maxFailures = aside ? null : strategy.maxFailures;
  return { name, kind, size: draft.work.length, maxConcurrency, maxFailures, minSuccess, aside };
}

function plannedOf(one: Draft["work"][number], stage: number, strategy: Strategy): PlannedCluster {
  const own = one.changes.reduce((longest, work) => Math.max(longest, work.deadlineMs), 0);
  const deadlineMs = Math.max(strategy.progressDeadlineMs, own === 0 ? 0 : own + 120_000);
  return { cluster: one.cluster, stage, moves: one.changes.map((work) => work.move), deadlineMs };
}
