import fc from "fast-check";
import type { StageSpec, Task } from "../../documents/strategy-model.ts";
import { allAtOnce, careful, type Strategy } from "../strategy.ts";
import type { Fate } from "./fleet.ts";

/** What may happen while runs go on. */
export type Event =
  | { readonly is: "offline" | "online" | "leave" | "deaf" | "hears" | "skip" | "mend" | "flap"; readonly who: number }
  | {
      readonly is:
        | "pause"
        | "resume"
        | "retry"
        | "retry-deferred"
        | "abort"
        | "crash"
        | "restart"
        | "join"
        | "rollback"
        | "newer"
        | "guard"
        | "approve"
        | "sign"
        | "reject"
        | "pass-gate"
        | "promote";
    }
  | { readonly is: "close"; readonly who: number };

/** A fleet, a release and what happens. */
export interface Story {
  /** For each cluster: what it holds, what it shall hold, how that turns out. */
  readonly clusters: readonly {
    readonly has: boolean;
    readonly wanted: boolean;
    readonly connected: boolean;
    readonly fate: Fate;
    readonly env: string;
  }[];
  /** Clusters between which one more target moves. */
  readonly moves: readonly [number, number];
  readonly strategy: Strategy;
  readonly events: readonly { readonly afterMs: number; readonly event: Event }[];
}

const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant<Fate>("healthy") },
  fc.constantFrom<Fate>("degraded", "apply", "stuck"),
);
const amount = fc.oneof(fc.record({ count: fc.nat(3) }), fc.record({ percent: fc.nat(100) }));
const rollingSteps = fc.array(
  fc.record({
    match: fc.array(
      fc.record({
        key: fc.constant("env"),
        operator: fc.constantFrom("In" as const, "NotIn" as const),
        values: fc.subarray(["dev", "prod", "lab"]),
      }),
      { maxLength: 2 },
    ),
    maxUpdate: fc.option(amount),
  }),
  { minLength: 1, maxLength: 3 },
);
/** At least 1 and 1 %: a limit of nothing is refused when a strategy is read. */
const limit = fc.oneof(
  fc.record({ count: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ percent: fc.integer({ min: 1, max: 100 }) }),
);
const quiet = { timeoutMs: null, onTimeout: "fail" } as const;
const task: fc.Arbitrary<Task> = fc.oneof(
  fc.constant<Task>({ ...quiet, name: "wait", kind: "wait", forMs: 60_000 }),
  fc.constant<Task>({
    name: "signoff",
    kind: "approval",
    quorum: 1,
    groups: [],
    notAuthor: true,
    expiresMs: null,
    timeoutMs: 900_000,
    onTimeout: "continue",
  }),
  fc.constant<Task>({ ...quiet, name: "night", kind: "schedule", at: Date.UTC(2026, 0, 1, 0, 3), window: null }),
  fc.constant<Task>({
    ...quiet,
    name: "errors",
    kind: "metric",
    url: "http://metrics",
    query: "errors",
    windowMs: 45_000,
    everyMs: 15_000,
    compare: { operator: "<", value: 1 },
    failures: 1,
    onInconclusive: "wait",
    secret: "",
  }),
);
const select = fc.oneof(
  fc.constant({ clusters: [], labels: [] }),
  fc.constantFrom("dev", "prod", "lab").map((env) => ({
    clusters: [],
    labels: [{ key: "env", operator: "In" as const, values: [env] }],
  })),
);
const stageSpec = fc.record({
  select,
  groups: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    fc
      .record({ select, maxConcurrency: fc.option(limit), maxFailures: fc.option(amount) })
      .map((one) => [{ name: "g", ...one }]),
  ),
  order: fc.constantFrom({ by: "name" as const }, { by: "hash" as const }, { by: "label" as const, label: "env" }),
  canary: fc.option(fc.record({ size: limit, soakMs: fc.constantFrom(0, 60_000) })),
  partition: fc.option(fc.record({ size: limit, threshold: fc.nat(4) })),
  maxConcurrency: fc.option(limit),
  maxUnavailable: fc.option(limit),
  maxFailures: fc.option(amount),
  minSuccess: fc.option(amount),
  soakMs: fc.constantFrom(0, 0, 120_000),
  before: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    task.map((one) => [one]),
  ),
  after: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    task.map((one) => [{ ...one, name: `${one.name}-after` }]),
  ),
});
const staged = fc.record({
  kind: fc.constant("staged" as const),
  stages: fc
    .array(stageSpec, { minLength: 1, maxLength: 4 })
    .map((stages): StageSpec[] => stages.map((one, at) => ({ name: `s${at}`, ...one }))),
  unmatched: fc.constantFrom("warn" as const, "last-stage" as const, "ignore" as const),
});
const shape = fc.oneof(
  fc.record({ kind: fc.constant("careful" as const), canary: fc.integer({ min: 1, max: 3 }), step: amount }),
  fc.record({ kind: fc.constant("rolling" as const), steps: rollingSteps }),
  fc.record({ kind: fc.constant("all" as const) }),
  staged,
);
const strategy: fc.Arbitrary<Strategy> = fc
  .record({
    shape,
    base: fc.constantFrom(careful(), allAtOnce()),
    onFailure: fc.constantFrom("pause" as const, "abort" as const, "continue" as const),
    maxFailures: fc.option(amount),
    stableForMs: fc.constantFrom(0, 5_000, 30_000),
    maxConcurrency: fc.option(fc.record({ percent: fc.integer({ min: 1, max: 100 }) })),
    maxFailuresTotal: fc.option(amount),
    offlinePolicy: fc.constantFrom("defer" as const, "defer" as const, "fail" as const, "skip" as const),
    rateLimit: fc.constantFrom(
      undefined,
      { perMinute: 2, per: null },
      { perMinute: null, per: { label: "env", perMinute: 1 } },
    ),
  })
  .map(({ base, rateLimit, ...own }) => ({ ...base, ...own, ...(rateLimit === undefined ? {} : { rateLimit }) }));
const who = fc.nat(11);
const event = fc.oneof(
  fc.record({
    is: fc.constantFrom("offline", "online", "leave", "deaf", "hears", "skip", "mend", "flap", "close"),
    who,
  }),
  fc.record({
    is: fc.constantFrom(
      "pause",
      "resume",
      "retry",
      "retry-deferred",
      "abort",
      "crash",
      "restart",
      "join",
      "rollback",
      "newer",
      "guard",
      "approve",
      "sign",
      "sign",
      "reject",
      "pass-gate",
      "promote",
    ),
  }),
) as fc.Arbitrary<Event>;
/** How long nothing happens. */
export const afterMs = fc.oneof(
  fc.integer({ min: 0, max: 5_000 }),
  fc.integer({ min: 0, max: 120_000 }),
  fc.constant(700_000),
);
/** Random stories, small ones first. */
export const story: fc.Arbitrary<Story> = fc.record({
  clusters: fc.array(
    fc.record({
      has: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, fc.constant(false)),
      wanted: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.constant(false)),
      connected: fc.oneof({ weight: 6, arbitrary: fc.constant(true) }, fc.constant(false)),
      fate,
      env: fc.constantFrom("dev", "prod", "lab"),
    }),
    { minLength: 1, maxLength: 12, size: "max" },
  ),
  moves: fc.tuple(fc.nat(11), fc.nat(11)),
  strategy,
  events: fc.array(fc.record({ afterMs, event }), { maxLength: 12, size: "max" }),
});
