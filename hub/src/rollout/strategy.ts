import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { parseAmount } from "../documents/strategy-fields.ts";
import type { Amount, RatePer, RolloutStrategySpec, StageSpec, SupersedePolicy } from "../documents/strategy-model.ts";

export type { Amount } from "../documents/strategy-model.ts";

/** Argo CD's `matchExpressions`, against the labels of generated Applications; expressions are ANDed. */
export interface Match {
  readonly key: string;
  readonly operator: "In" | "NotIn";
  readonly values: readonly string[];
}

/** One step of Argo CD's RollingSync; `maxUpdate` null: no limit, zero: held until a person unlocks the stage. */
export interface RollingStep {
  readonly match: readonly Match[];
  readonly maxUpdate: Amount | null;
}

/** How clusters are laid into stages. */
export type Shape =
  | { readonly kind: "all" }
  /** New targets at once; then `canary` clusters; then steps of `step` each. */
  | { readonly kind: "careful"; readonly canary: number; readonly step: Amount }
  | { readonly kind: "rolling"; readonly steps: readonly RollingStep[] }
  /** As a `RolloutStrategy` says. */
  | {
      readonly kind: "staged";
      readonly stages: readonly StageSpec[];
      readonly unmatched: RolloutStrategySpec["unmatched"];
    };

export interface Strategy {
  readonly name: string;
  readonly shape: Shape;
  /** Failures that a stage endures; null: any number. A share is of the frozen stage size, rounded up. */
  readonly maxFailures: Amount | null;
  /** Failures over all stages; absent: each stage counts for itself. */
  readonly maxFailuresTotal?: Amount | null;
  readonly onFailure: "pause" | "abort" | "rollback" | "continue";
  /** What `rollback` takes back; absent: all that was touched. */
  readonly rollbackScope?: RolloutStrategySpec["rollbackScope"];
  /** What a newer release does to a run that has begun: waits for it, or takes its place at once (`abort-running`). */
  readonly supersede: SupersedePolicy;
  /** Healthy for so long before a cluster counts as done, so that a flap does not pass. */
  readonly stableForMs: number;
  /** From acknowledgement, while the cluster is connected. Raised to the workload's own deadline + 2 min. */
  readonly progressDeadlineMs: number;
  /** Clusters in flight over all stages at once; null: no limit of its own. */
  readonly maxConcurrency: Amount | null;
  /** A cluster that is not connected for so long is deferred. */
  readonly offlineAfterMs: number;
  /** What becomes of it then; absent: deferred. */
  readonly offlinePolicy?: RolloutStrategySpec["offlinePolicy"];
  /** Clusters begun within a minute; absent: no limit. */
  readonly rateLimit?: { readonly perMinute: number | null; readonly per: RatePer | null };
}

const second = 1000;
const minute = 60 * second;

const base = {
  maxFailures: { count: 0 },
  onFailure: "pause",
  supersede: "replace-unstarted",
  stableForMs: 30 * second,
  progressDeadlineMs: 10 * minute,
  maxConcurrency: null,
  offlineAfterMs: minute,
} as const satisfies Omit<Strategy, "name" | "shape">;

/** The fleet's default: new targets at once; one canary, then steps of 25 %; stop at the first failure; stable for 30 s. */
export function careful(): Strategy {
  return { name: "careful", shape: { kind: "careful", canary: 1, step: { percent: 25 } }, ...base };
}

/** Argo CD's AllAtOnce: nothing waits, nothing stops, and a newer release takes the place of a running one. */
export function allAtOnce(): Strategy {
  const free = { maxFailures: null, onFailure: "continue", supersede: "abort-running" } as const;
  return { name: "AllAtOnce", shape: { kind: "all" }, ...base, ...free };
}

/** What the fleet's owner sets for all sets without a strategy of their own (`defaults:` in the hub's config). */
export interface FleetStrategy {
  readonly strategy: "careful" | "AllAtOnce";
  readonly stableForMs: number;
  readonly healthDeadlineMs: number;
}

/** The fleet's default strategy as its owner set it. */
export function fleetStrategy({ strategy, stableForMs, healthDeadlineMs }: FleetStrategy): Strategy {
  const shape = strategy === "careful" ? careful() : allAtOnce();
  return { ...shape, stableForMs, progressDeadlineMs: healthDeadlineMs };
}

/** Of a rollback, and of a retry: everything at once, whatever fails, and 5 s of health are enough. */
export function rollbackStrategy(of: Strategy): Strategy {
  const free = { maxFailures: null, onFailure: "continue", maxConcurrency: null } as const;
  const stableForMs = Math.min(of.stableForMs, 5 * second);
  return { ...unhurried(of), name: "rollback", shape: { kind: "all" }, ...free, stableForMs };
}

/** Of late clusters: their own budget (a quarter at once), and one failure does not stop the others. */
export function catchUpStrategy(of: Strategy): Strategy {
  const own = { maxFailures: null, onFailure: "continue", maxConcurrency: { percent: 25 } } as const;
  return { ...unhurried(of), name: "catch-up", shape: { kind: "all" }, ...own };
}

/** Without what belongs to the whole run that it follows: its total of failures, its way back, its rate. */
function unhurried(of: Strategy): Strategy {
  const { maxFailuresTotal: _total, rollbackScope: _scope, rateLimit: _rate, offlinePolicy: _policy, ...rest } = of;
  return rest;
}

/** The strategy of a `RolloutStrategy` document; its name tells its version: `prod@1a2b3c4`. */
export function stagedStrategy(name: string, spec: RolloutStrategySpec, fallback: Strategy): Strategy {
  return {
    ...base,
    name,
    shape: { kind: "staged", stages: spec.stages, unmatched: spec.unmatched },
    maxFailures: spec.maxFailures ?? base.maxFailures,
    maxFailuresTotal: spec.maxFailuresTotal,
    onFailure: spec.onFailure,
    rollbackScope: spec.rollbackScope,
    supersede: spec.supersede,
    stableForMs: spec.stableForMs ?? fallback.stableForMs,
    progressDeadlineMs: spec.progressDeadlineMs ?? fallback.progressDeadlineMs,
    maxConcurrency: spec.maxConcurrency,
    offlineAfterMs: spec.offlineAfterMs ?? fallback.offlineAfterMs,
    offlinePolicy: spec.offlinePolicy,
    rateLimit: spec.rateLimit,
  };
}

export interface ParsedStrategy {
  readonly strategy: Strategy;
  /** What is kept as Argo CD would, but surely was not meant; for the set's conditions. */
  readonly warnings: readonly string[];
}

/**
 * `spec.strategy` of an ApplicationSet, unmodified; undefined: the fleet's default. Its times hold for all.
 * Throws `bad-input` where Argo CD would report an invalid rollout config.
 */
export function parseStrategy(spec: JsonObject | undefined, fallback: Strategy = careful()): ParsedStrategy {
  if (spec === undefined) return { strategy: fallback, warnings: [] };
  const type = spec["type"];
  if (type === undefined || type === "") return { strategy: fallback, warnings: [] };
  const { stableForMs, progressDeadlineMs } = fallback;
  if (type === "AllAtOnce") return { strategy: { ...allAtOnce(), stableForMs, progressDeadlineMs }, warnings: [] };
  if (type === "RollingSync") {
    const { strategy, warnings } = rollingSync(spec["rollingSync"]);
    return { strategy: { ...strategy, stableForMs, progressDeadlineMs }, warnings };
  }
  throw bad("type", `expected AllAtOnce or RollingSync, found ${JSON.stringify(type)}.`, "Write one of the two.");
}

function rollingSync(spec: Json | undefined): ParsedStrategy {
  const steps = isObject(spec) ? spec["steps"] : undefined;
  if (!Array.isArray(steps) || steps.length === 0) {
    throw bad(
      "rollingSync.steps",
      "RollingSync needs at least one step, found none.",
      "Add a step with matchExpressions.",
    );
  }
  const warnings: string[] = [];
  const shape: Shape = { kind: "rolling", steps: steps.map((step: Json, at) => rollingStep(step, at + 1, warnings)) };
  return { strategy: { name: "RollingSync", shape, ...base }, warnings };
}

function rollingStep(step: Json, number: number, warnings: string[]): RollingStep {
  const field = `rollingSync.steps[${number - 1}]`;
  if (!isObject(step)) throw bad(field, `expected a step, found ${JSON.stringify(step)}.`, "Write matchExpressions.");
  const expressions = step["matchExpressions"] ?? [];
  if (!Array.isArray(expressions)) throw bad(`${field}.matchExpressions`, "expected a list.", "Write a list.");
  const match = expressions.map((one: Json, at) => matchOf(one, `${field}.matchExpressions[${at}]`));
  return { match, maxUpdate: maxUpdateOf(step["maxUpdate"], number, warnings) };
}

function matchOf(one: Json, field: string): Match {
  const { key, operator, values } = isObject(one) ? one : {};
  if (typeof key !== "string" || key === "") throw bad(`${field}.key`, "expected a label's name.", "Name a label.");
  if (operator !== "In" && operator !== "NotIn") {
    throw bad(`${field}.operator`, `expected In or NotIn, found ${JSON.stringify(operator)}.`, "Use In or NotIn.");
  }
  const texts = Array.isArray(values) ? values : [];
  return { key, operator, values: texts.filter((value: Json): value is string => typeof value === "string") };
}

/** Absent: no limit. An unreadable text acts as 1, as in Argo CD, and is warned of. */
function maxUpdateOf(value: Json | undefined, number: number, warnings: string[]): Amount | null {
  if (value === undefined || value === null) return null;
  const amount = parseAmount(value);
  if (amount !== undefined) return amount;
  const found = typeof value === "bigint" ? value.toString() : JSON.stringify(value);
  warnings.push(`step ${number}: maxUpdate expects a number or a percentage like "25%", found ${found}; it acts as 1.`);
  return { count: 1 };
}

/** `3` or `25 %`. */
export function amountText(amount: Amount): string {
  return "count" in amount ? `${amount.count}` : `${amount.percent} %`;
}

/** Clusters allowed at once out of `of`: shares are rounded down, but never to nothing unless they are 0 %. */
export function atMost(amount: Amount | null, of: number): number | null {
  if (amount === null) return null;
  if ("count" in amount) return amount.count;
  return amount.percent === 0 ? 0 : Math.max(1, Math.floor((of * amount.percent) / 100));
}

/** Failures endured out of `of`: shares are rounded up. */
export function endured(amount: Amount | null, of: number): number | null {
  if (amount === null) return null;
  return "count" in amount ? amount.count : Math.ceil((of * amount.percent) / 100);
}

/** Whether a label expression selects: an absent label is never In, and always NotIn (Argo CD's rule). */
export function matches(match: Match, labels: Readonly<Record<string, string>>): boolean {
  const value = labels[match.key];
  const inside = value !== undefined && match.values.includes(value);
  return match.operator === "In" ? inside : !inside;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function bad(field: string, message: string, next: string): Fault {
  return new Fault("bad-input", { message, where: { field: `spec.strategy.${field}` }, next });
}

/** `1 cluster`, `2 clusters`. */
export function counted(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
