import { Fault, type Instant, windowsOpen } from "@capstan/proto";
import type { Action, DesiredTarget } from "@capstan/proto/desired";
import type { TargetMemory } from "../cache/model.ts";
import type { Inventory } from "../inventory/model.ts";

/** All that decides what to do with a target now. */
export interface Situation {
  readonly target: DesiredTarget;
  readonly inventory: Inventory;
  readonly memory: TargetMemory;
  /** Objects that may differ from the bundle, as the watch tells. */
  readonly suspects: ReadonlySet<string>;
  /** Whether this process has looked at all objects of this generation and bundle. */
  readonly looked: boolean;
  readonly now: Instant;
}

/** What to do with a target now. */
export type Work =
  /** Apply the bundle; `operation` is done by it. */
  | {
      readonly kind: "apply";
      readonly again: boolean;
      readonly operation?: string;
      readonly only?: ReadonlySet<string>;
    }
  /**
   * Compare, and put right what the policy allows; nothing new is applied. `back`: against the bundle rolled back to.
   * `closed`: nothing is put right now, as a window forbids it; when to look again.
   */
  | { readonly kind: "check"; readonly only?: ReadonlySet<string>; readonly back: boolean; readonly closed?: Instant }
  /** Wait; the fault says for what, `until` when it may change by itself. */
  | { readonly kind: "hold"; readonly fault: Fault; readonly until?: Instant }
  /** Do what a person asks of one object; nothing is applied. */
  | { readonly kind: "act"; readonly operation: string; readonly action: Action }
  | { readonly kind: "rest" };

/**
 * What to do with a target (design §3.4). A new generation is applied when it is automated, or by an operation; each
 * operation is done once; windows hold both unless they let operations pass; what is applied is checked once by each
 * process and whenever the watch suspects it. A generation that was left by a local rollback is not tried again.
 */
export function decide(situation: Situation): Work {
  const { target, memory } = situation;
  const operation = pendingOperation(target, memory);
  if (operation?.action !== undefined) return actWhenOpen(situation, operation.id, operation.action);
  const back = memory.rolledBack !== undefined && BigInt(memory.rolledBack.generation) >= target.generation;
  if (back && operation === undefined) return checkOrRest(situation, true);
  const applied = isApplied(situation);
  if (applied && operation === undefined) return checkOrRest(situation, false);
  if (target.policy?.automated !== true && operation === undefined) return { kind: "hold", fault: manualFault(target) };
  const gate = windowsOpen(target, { now: situation.now, byPerson: operation !== undefined });
  if (gate.kind === "closed")
    return { kind: "hold", fault: gate.fault, ...(gate.until === undefined ? {} : { until: gate.until }) };
  if (operation === undefined) return { kind: "apply", again: false };
  const only = operation.selection.length === 0 ? {} : { only: new Set(operation.selection) };
  return { kind: "apply", again: true, operation: operation.id, ...only };
}

/** A window that holds a sync by hand holds an action as well. */
function actWhenOpen({ target, now }: Situation, operation: string, action: Action): Work {
  const gate = windowsOpen(target, { now, byPerson: true });
  if (gate.kind === "open") return { kind: "act", operation, action };
  return { kind: "hold", fault: gate.fault, ...(gate.until === undefined ? {} : { until: gate.until }) };
}

/** Whether this generation, with this bundle, was applied without a failure. */
export function isApplied({ target, inventory }: Pick<Situation, "target" | "inventory">): boolean {
  const same = BigInt(inventory.generation) === target.generation && inventory.digest === target.bundle?.digest;
  return same && inventory.applied;
}

function pendingOperation(target: DesiredTarget, memory: TargetMemory) {
  const { operation } = target;
  return operation === undefined || operation.id === "" || operation.id === memory.operation ? undefined : operation;
}

function checkOrRest({ target, looked, suspects, now }: Situation, back: boolean): Work {
  if (looked && suspects.size === 0) return { kind: "rest" };
  // Healing is a change as well: windows hold it, as they hold Argo CD's.
  const gate = windowsOpen(target, { now, byPerson: false });
  const closed = gate.kind === "open" ? {} : { closed: gate.until ?? now + 30_000 };
  return { kind: "check", ...(looked ? { only: new Set(suspects) } : {}), back, ...closed };
}

function manualFault(target: DesiredTarget): Fault {
  return new Fault("held", {
    message: `generation ${target.generation} waits: the application is not synced automatically.`,
    next: `Run \`capstan sync ${target.name}\`.`,
  });
}
