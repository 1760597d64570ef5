import { Fault, type TargetKey } from "@capstan/proto";
import type { Action, DesiredTarget, Mode } from "@capstan/proto/desired";
import type { TargetStatus } from "../report/model.ts";
import { policyOf } from "./policy.ts";
import type { TargetsPorts } from "./port.ts";

/** A person's action on one of a target's objects. */
export interface Asked {
  readonly key: TargetKey;
  readonly target: DesiredTarget;
  readonly clusterMode: Mode;
  readonly operation: string;
  readonly action: Action;
}

/**
 * Carries an action out, once, whatever comes of it, and tells by an event. Returns what the status then says. Throws only
 * what may be tried again; nothing is remembered then.
 */
export async function carryOut(
  ports: Pick<TargetsPorts, "applier" | "memories" | "sink">,
  { key, target, clusterMode, operation, action }: Asked,
  signal: AbortSignal,
): Promise<Pick<TargetStatus, "operation" | "operationDone" | "operationProblem">> {
  const { applier, memories, sink } = ports;
  const { account, selfHeal, mode } = policyOf(target, clusterMode);
  const [done, problem] = await applier
    .act({ target: key, account, heals: selfHeal && mode !== "Observe", action }, signal)
    .then(
      (text) => [text, undefined] as const,
      (thrown: unknown) => ["", Fault.from(thrown)] as const,
    );
  if (problem?.retryable === true) throw problem;
  await memories.set(key, { ...memories.get(key), operation });
  const said = problem === undefined ? done : `${action.verb}: ${problem.message}`;
  const message = `${target.operation?.actor ?? ""}: ${said}`;
  sink.event({ reason: problem === undefined ? "ActionDone" : "ActionFailed", message, target: key });
  return { operation, operationDone: done, operationProblem: problem };
}
