import { objectText, type TargetKey } from "@capstan/proto";
import type { AgentEvent } from "@capstan/proto/agent";
import type { ApplyResult, HookEvent } from "../apply/model.ts";

type Told = Pick<AgentEvent, "reason" | "message" | "target">;

/** What is told of hooks that began or ended. */
export function hookEvents(target: TargetKey, hooks: readonly HookEvent[] = []): readonly Told[] {
  return hooks.map(({ ref, id, state, message }) => {
    const [phase] = id.split(" ", 1);
    const ended = state === "failed" || state === "succeeded";
    const text = `${phase} hook ${objectText(ref)} ${ended ? state : "runs"}`;
    const reason = state === "failed" ? "HookFailed" : ended ? "HookSucceeded" : "HookRuns";
    return { reason, message: message === "" ? text : `${text}: ${message}`, target };
  });
}

/** What is told where drift was put right. */
export function healEvents(target: TargetKey, { counts }: Pick<ApplyResult, "counts">): readonly Told[] {
  const healed = counts.configured + counts.created;
  if (healed === 0) return [];
  return [{ reason: "SelfHealed", message: `put ${healed} objects back as they should be`, target }];
}
