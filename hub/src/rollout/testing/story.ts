import fc from "fast-check";
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
        | "approve";
    };

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
const shape = fc.oneof(
  fc.record({ kind: fc.constant("careful" as const), canary: fc.integer({ min: 1, max: 3 }), step: amount }),
  fc.record({ kind: fc.constant("rolling" as const), steps: rollingSteps }),
  fc.record({ kind: fc.constant("all" as const) }),
);
const strategy: fc.Arbitrary<Strategy> = fc
  .record({
    shape,
    base: fc.constantFrom(careful(), allAtOnce()),
    onFailure: fc.constantFrom("pause" as const, "abort" as const, "continue" as const),
    maxFailures: fc.option(amount),
    stableForMs: fc.constantFrom(0, 5_000, 30_000),
    maxConcurrency: fc.option(fc.record({ percent: fc.integer({ min: 1, max: 100 }) })),
  })
  .map(({ base, ...own }) => ({ ...base, ...own }));
const who = fc.nat(11);
const event = fc.oneof(
  fc.record({ is: fc.constantFrom("offline", "online", "leave", "deaf", "hears", "skip", "mend", "flap"), who }),
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
