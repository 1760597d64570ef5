import type { TargetKey } from "@capstan/proto";
import type { PathFinder } from "../drift/jq.ts";
import type { Inventory } from "../inventory/model.ts";
import type { Book } from "./book.ts";
import type { HookRunner } from "./hook-runner.ts";
import type { ApplyInput } from "./model.ts";
import type { Outcomes } from "./outcomes.ts";
import type { ApplyPorts } from "./ports.ts";
import type { Survey } from "./survey.ts";

/** One pass under way: its inputs, and what it has found and done so far. */
export interface Pass {
  readonly ports: ApplyPorts;
  readonly input: ApplyInput;
  readonly signal: AbortSignal;
  readonly survey: Survey;
  /** The inventory before the pass. */
  readonly before: Inventory;
  readonly book: Book;
  readonly hooks: HookRunner;
  /** The run whose hooks and waves this pass goes on with; undefined: none runs, and nothing waits. */
  readonly run: string | undefined;
  readonly owners: ReadonlySet<TargetKey>;
  /** `false`: differences are only reported. */
  readonly mayWrite: boolean;
  readonly outcomes: Outcomes;
  /** Keys for which a real write was sent, or that were found to be ours. */
  readonly touched: Set<string>;
  /** UIDs of all that was applied or found as it should be. */
  readonly uids: Set<string>;
  /** Wanted objects that must be gone before they can be made again. */
  readonly waiting: Set<string>;
  /** jq, where a rule about ignored differences needs it. */
  readonly find: PathFinder | undefined;
  /** Why other tools' claims forbid a take-over, by claim; undefined: they do not. */
  readonly claims: Map<string, Promise<string | undefined>>;
  /** Objects whose correction waits, and the shortest wait in milliseconds. */
  readonly damped: Map<string, number>;
}
