import type { Fault } from "../fault/fault.ts";

/**
 * What a step of a loop ended with. Expected waits are outcomes, not faults:
 * `done`: nothing more to do until the next event; `again`: come back after `afterMs`;
 * `stalled`: a person or another input must change something, retried only on the next event.
 */
export type Outcome =
  | { readonly kind: "done" }
  | { readonly kind: "again"; readonly afterMs: number; readonly why?: string }
  | { readonly kind: "stalled"; readonly fault: Fault };

/** Nothing more to do until the next event. */
export const done: Outcome = { kind: "done" };

/** Come back after `afterMs`. */
export function again(afterMs: number, why?: string): Outcome {
  return why === undefined ? { kind: "again", afterMs } : { kind: "again", afterMs, why };
}

/** Something else must change first. */
export function stalled(fault: Fault): Outcome {
  return { kind: "stalled", fault };
}
