import type { Fault, ObjectRef } from "@capstan/proto";
import { objectKey, objectText } from "@capstan/proto";
import type { Action, ApplyPhase, ObjectOutcome } from "./model.ts";

const actions: readonly Action[] = [
  "created",
  "configured",
  "adopted",
  "unchanged",
  "different",
  "skipped",
  "failed",
  "pruned",
  "deleting",
  "released",
  "prunable",
  "held",
];
const mostErrors = 10;

/** Collects what a pass did, object by object. Unchanged ones are only counted. */
export class Outcomes {
  readonly #counts = new Map<Action, number>();
  readonly #list: ObjectOutcome[] = [];
  readonly #failed = new Set<string>();

  add(ref: ObjectRef, action: Action, more: Omit<ObjectOutcome, "ref" | "action"> = {}): void {
    this.#counts.set(action, this.count(action) + 1);
    if (action === "unchanged") return;
    const { group, kind, namespace, name } = ref;
    this.#list.push({ ref: { group, kind, namespace, name }, action, ...more });
  }

  fail(ref: ObjectRef, fault: Fault, more: Omit<ObjectOutcome, "ref" | "action" | "fault"> = {}): void {
    this.#failed.add(objectKey(ref));
    this.add(ref, "failed", { ...more, fault: fault.at({ object: objectText(ref) }) });
  }

  count(action: Action): number {
    return this.#counts.get(action) ?? 0;
  }

  hasFailed(ref: ObjectRef): boolean {
    return this.#failed.has(objectKey(ref));
  }

  get list(): readonly ObjectOutcome[] {
    return this.#list;
  }

  get counts(): Readonly<Record<Action, number>> {
    return Object.fromEntries(actions.map((action) => [action, this.count(action)])) as Record<Action, number>;
  }

  get errors(): readonly Fault[] {
    const failed = this.#list.filter(({ action }) => action !== "skipped");
    return failed.flatMap(({ fault }) => fault ?? []).slice(0, mostErrors);
  }

  get phase(): ApplyPhase {
    if (this.count("failed") > 0) return "Failed";
    if (this.count("held") > 0) return "Held";
    if (this.count("deleting") > 0) return "Pending";
    return this.count("different") > 0 ? "Different" : "Applied";
  }
}
