import type { ClusterId, TargetKey } from "@capstan/proto";
import type { ClusterSelect, StageSpec } from "../documents/strategy-model.ts";
import { selectsCluster } from "../documents/strategy-parse.ts";
import type { Amount, Hash, PlannedStage, Strategy } from "./model.ts";
import { atMost } from "./strategy.ts";
import type { ClusterWork } from "./work.ts";

/** A stage in the making, with its clusters in the order of dispatch. */
export interface StagedDraft {
  readonly stage: Omit<PlannedStage, "size">;
  readonly work: readonly ClusterWork[];
}

export interface Staged {
  readonly drafts: readonly StagedDraft[];
  readonly unmatched: readonly TargetKey[];
  readonly warnings: readonly string[];
}

/** What the stages are made of. */
export interface StagedInput {
  readonly stages: readonly StageSpec[];
  readonly unmatched: "fail" | "warn" | "last-stage" | "ignore";
  readonly strategy: Strategy;
  /** Changes the order by hash with each release. */
  readonly seed: string;
  readonly hash: Hash;
}

/** Clusters no stage selects, where the strategy says that this is a mistake. */
export class Unselected extends Error {
  readonly clusters: readonly ClusterId[];
  constructor(clusters: readonly ClusterId[]) {
    super("no stage selects some clusters");
    this.clusters = clusters;
  }
}

/** Lays clusters into the stages of a `RolloutStrategy`: the first that selects a cluster takes it. Throws `Unselected`. */
export function stagedDrafts(input: StagedInput, changing: readonly ClusterWork[]): Staged {
  const warnings: string[] = [];
  const members = input.stages.map((): ClusterWork[] => []);
  const left: ClusterWork[] = [];
  for (const one of changing) {
    const at = input.stages.findIndex(({ select }) => selects(select, one));
    (members[at] ?? left).push(one);
  }
  const unmatched = placeRest(input, members, left, warnings);
  const making = new Making(input);
  for (const [at, spec] of input.stages.entries()) {
    const there = members[at] ?? [];
    if (there.length === 0)
      warnings.push(`stage ${spec.name} selects none of the clusters that change; it is left out`);
    else making.stage(spec, inOrder(spec, there, input), warnings);
  }
  return { drafts: making.drafts, unmatched, warnings };
}

function placeRest(
  input: StagedInput,
  members: readonly ClusterWork[][],
  left: readonly ClusterWork[],
  warnings: string[],
): readonly TargetKey[] {
  if (left.length === 0) return [];
  const names = left.map(({ cluster }) => cluster);
  if (input.unmatched === "fail") throw new Unselected(names);
  if (input.unmatched === "last-stage") {
    members.at(-1)?.push(...left);
    return [];
  }
  if (input.unmatched === "warn") {
    const shown = names.slice(0, 3).join(", ");
    const more = names.length > 3 ? ` and ${names.length - 3} more` : "";
    warnings.push(`no stage selects ${shown}${more}: what runs there stays as it is`);
  }
  return left.flatMap(({ changes }) => changes.map(({ move }) => move.target));
}

function selects(select: ClusterSelect, { cluster, labels }: ClusterWork): boolean {
  return selectsCluster(select, { id: cluster, labels });
}

function inOrder({ order, name }: StageSpec, there: readonly ClusterWork[], { hash, seed }: StagedInput) {
  if (order.by === "name") return there;
  const keys = new Map<ClusterId, number | string>();
  for (const { cluster, labels } of there) {
    const wave = order.by === "label" ? (labels[order.label] ?? "") : "";
    const number = /^-?\d{1,15}$/.test(wave) ? Number(wave) : Number.POSITIVE_INFINITY;
    keys.set(cluster, order.by === "hash" ? hash(`${seed} ${name} ${cluster}`) : number);
  }
  return there.toSorted((a, b) => {
    const [x, y] = [keys.get(a.cluster) ?? 0, keys.get(b.cluster) ?? 0];
    return x === y ? (a.cluster < b.cluster ? -1 : 1) : x < y ? -1 : 1;
  });
}

/** A preferred canary first, then any that is connected; else the stage's own order. */
function canaries(there: readonly ClusterWork[], size: number): ReadonlySet<ClusterWork> {
  const rank = (one: ClusterWork) => (one.connected ? 0 : 2) + (one.canary ? 0 : 1);
  return new Set(there.toSorted((a, b) => rank(a) - rank(b)).slice(0, size));
}

/** Stages one after the other, as they are made. */
class Making {
  readonly drafts: StagedDraft[] = [];
  readonly #input: StagedInput;

  constructor(input: StagedInput) {
    this.#input = input;
  }

  stage(spec: StageSpec, there: readonly ClusterWork[], warnings: string[]): void {
    const first = this.drafts.length;
    const rest = this.#canary(spec, there, warnings);
    const soaked = this.drafts.length;
    if (spec.groups.length > 0) this.#groups(spec, rest);
    else this.#parts(spec, rest);
    const grouped = spec.groups.length > 0 && this.drafts.length > soaked;
    if (spec.before.length > 0) this.#before(spec, first, grouped && first === soaked);
    this.#after(spec, { first, grouped, minimum: this.#minimum(spec, there.length, warnings) });
  }

  #canary(spec: StageSpec, there: readonly ClusterWork[], warnings: string[]): readonly ClusterWork[] {
    if (spec.canary === null) return there;
    const exact = "percent" in spec.canary.size ? (there.length * spec.canary.size.percent) / 100 : 1;
    if (exact < 1)
      warnings.push(`stage ${spec.name}: its canary share of ${there.length} clusters is less than one; it is one`);
    const size = Math.min(there.length, atMost(spec.canary.size, there.length) ?? 1);
    const chosen = canaries(there, size);
    const { soakMs } = spec.canary;
    this.drafts.push({
      stage: {
        name: `${spec.name} canary`,
        kind: "canary",
        maxConcurrency: spec.maxConcurrency,
        maxFailures: { count: 0 },
        minSuccess: size,
        aside: false,
        ...(soakMs === 0 ? {} : { soakMs }),
      },
      work: there.filter((one) => chosen.has(one)),
    });
    return there.filter((one) => !chosen.has(one));
  }

  #groups(spec: StageSpec, rest: readonly ClusterWork[]): void {
    if (rest.length === 0) return;
    const members = spec.groups.map((): ClusterWork[] => []);
    const others: ClusterWork[] = [];
    for (const one of rest) {
      const at = spec.groups.findIndex(({ select }) => selects(select, one));
      (members[at] ?? others).push(one);
    }
    const wave = this.drafts.length;
    const over = {
      wave,
      ...(spec.maxConcurrency === null ? {} : { waveConcurrency: spec.maxConcurrency }),
      waveFailures: this.#failures(spec),
    };
    for (const [at, group] of spec.groups.entries()) {
      const work = members[at] ?? [];
      if (work.length === 0) continue;
      const limits = { maxConcurrency: group.maxConcurrency, maxFailures: group.maxFailures };
      this.#push(`${spec.name}/${group.name}`, spec, { work, limits, over });
    }
    const limits = { maxConcurrency: null, maxFailures: null };
    if (others.length > 0) this.#push(`${spec.name}/others`, spec, { work: others, limits, over });
  }

  #parts(spec: StageSpec, rest: readonly ClusterWork[]): void {
    const limits = { maxConcurrency: spec.maxConcurrency, maxFailures: this.#failures(spec) };
    const split = spec.partition !== null && rest.length > spec.partition.threshold;
    const sizes = split && spec.partition !== null ? partSizes(rest.length, spec.partition.size) : [rest.length];
    let from = 0;
    for (const [at, size] of sizes.entries()) {
      if (size === 0) continue;
      const name = sizes.length === 1 ? spec.name : `${spec.name} ${at + 1}/${sizes.length}`;
      this.#push(name, spec, { work: rest.slice(from, from + size), limits, over: {} });
      from += size;
    }
  }

  #push(
    name: string,
    { maxUnavailable }: StageSpec,
    made: {
      readonly work: readonly ClusterWork[];
      readonly limits: Pick<PlannedStage, "maxConcurrency" | "maxFailures">;
      readonly over: Pick<PlannedStage, "wave" | "waveConcurrency" | "waveFailures">;
    },
  ): void {
    const stage = {
      name,
      kind: "step" as const,
      ...made.limits,
      minSuccess: 0,
      aside: false,
      ...made.over,
      ...(maxUnavailable === null ? {} : { maxUnavailable }),
    };
    this.drafts.push({ stage, work: made.work });
  }

  /** Never more than there are: else the stage could not succeed whatever happens. */
  #minimum({ minSuccess, name }: StageSpec, size: number, warnings: string[]): Pick<PlannedStage, "minimum"> {
    if (minSuccess === null) return {};
    if ("percent" in minSuccess || minSuccess.count <= size) return { minimum: minSuccess };
    warnings.push(
      `stage ${name} has ${size} clusters that change and minSuccess ${minSuccess.count}; all must succeed`,
    );
    return { minimum: { count: size } };
  }

  #failures(spec: StageSpec): Amount {
    return spec.maxFailures ?? this.#input.strategy.maxFailures ?? { count: 0 };
  }

  /** On the first of the spec's stages, or on a gate of its own before groups that begin at once. */
  #before(spec: StageSpec, first: number, apart: boolean): void {
    const draft = this.drafts[first];
    if (draft === undefined) return;
    if (!apart) {
      this.drafts[first] = { ...draft, stage: { ...draft.stage, before: spec.before } };
      return;
    }
    this.drafts.splice(first, 0, { stage: { ...gate(`${spec.name} start`), before: spec.before }, work: [] });
    for (let at = first + 1; at < this.drafts.length; at += 1) {
      const one = this.drafts[at];
      if (one !== undefined) this.drafts[at] = { ...one, stage: { ...one.stage, wave: first + 1 } };
    }
  }

  /** On the last of the spec's stages, or on a gate of its own after groups. */
  #after(
    spec: StageSpec,
    at: { readonly first: number; readonly grouped: boolean; readonly minimum: Pick<PlannedStage, "minimum"> },
  ): void {
    const { minimum } = at;
    if (spec.soakMs === 0 && spec.after.length === 0 && minimum.minimum === undefined) return;
    const soak = spec.soakMs === 0 ? {} : { soakMs: spec.soakMs };
    const after = spec.after.length === 0 ? {} : { after: spec.after };
    const last = this.drafts.length - 1;
    const draft = this.drafts[last];
    if (draft === undefined) return;
    const own = Array.from({ length: last - at.first + 1 }, (_, n) => at.first + n);
    if (at.grouped) {
      this.drafts.push({
        stage: { ...gate(`${spec.name} end`), ...soak, ...after, ...minimum, covers: own },
        work: [],
      });
      return;
    }
    const longest = Math.max(draft.stage.soakMs ?? 0, spec.soakMs);
    const both = longest === 0 ? {} : { soakMs: longest };
    this.drafts[last] = {
      ...draft,
      stage: { ...draft.stage, ...both, ...after, ...minimum, ...(own.length > 1 ? { covers: own } : {}) },
    };
  }
}

function gate(name: string): Omit<PlannedStage, "size"> {
  return { name, kind: "gate", maxConcurrency: null, maxFailures: null, minSuccess: 0, aside: false };
}

/** Parts of about `size` each: rounded down, the remainder spread over the later ones, so that no small tail is left. */
function partSizes(total: number, size: Amount): readonly number[] {
  const one = Math.max(1, atMost(size, total) ?? total);
  const parts = Math.max(1, Math.min(total, Math.round(total / one)));
  const each = Math.floor(total / parts);
  const larger = total - each * parts;
  return Array.from({ length: parts }, (_, at) => each + (at >= parts - larger ? 1 : 0));
}
