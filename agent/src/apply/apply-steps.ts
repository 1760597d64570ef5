import { union } from "../inventory/diff.ts";
import { applyStage, awaitDefinitions } from "./apply-stage.ts";
import type { Standing } from "./hook-runner.ts";
import type { PreparedObject } from "./model.ts";
import type { Pass } from "./pass.ts";
import { stagesOf } from "./stages.ts";
import { type Step, stepText, wavesOf } from "./steps.ts";
import { waveHealth } from "./wave-health.ts";

/** How far a sync came. `stopped`: it goes no further in this pass, as something failed. */
export type Progress = { readonly kind: "through" | "stopped" } | { readonly kind: "waits"; readonly reason: string };

/**
 * Goes through steps until one is not through. Steps wait for each other only in a run; `last`: nothing comes after the
 * last one, so that nobody waits for its objects' health.
 */
export async function applySteps(pass: Pass, steps: readonly Step[], last: boolean): Promise<Progress> {
  for (const [index, step] of steps.entries()) {
    const later = steps.slice(index + 1);
    const whole = await applyStep(pass, step);
    if (!whole) return stopped(pass, step, later);
    if (pass.run === undefined) continue;
    const standing = await stepStanding(pass, step, last && later.length === 0);
    if (standing.kind === "failed") return stopped(pass, step, later);
    if (standing.kind === "waits") {
      leave(pass, later, `not applied yet: ${stepText(step)} comes first`);
      return { kind: "waits", reason: `${stepText(step)}: ${standing.reason}` };
    }
  }
  return { kind: "through" };
}

/** Runs the hooks of a failed sync, wave by wave. */
export async function runSyncFail(pass: Pass): Promise<Standing> {
  if (pass.run === undefined) return { kind: "through" };
  for (const hooks of wavesOf(pass.survey.hooks, "SyncFail")) {
    await pass.hooks.begin(pass.run, hooks);
    const standing = pass.hooks.standing(pass.run, hooks);
    if (standing.kind !== "through") return standing;
  }
  return { kind: "through" };
}

function stopped(pass: Pass, step: Step, later: readonly Step[]): Progress {
  leave(pass, later, `not applied: ${stepText(step)} failed`);
  return { kind: "stopped" };
}

function leave(pass: Pass, steps: readonly Step[], reason: string): void {
  for (const { address } of steps.flatMap(({ objects }) => objects)) pass.outcomes.add(address, "skipped", { reason });
}

/** False: something of it failed, and nothing may come after. */
async function applyStep(pass: Pass, step: Step): Promise<boolean> {
  const { policy } = pass.input;
  const failedBefore = pass.outcomes.count("failed");
  await intend(pass, step.objects);
  const stages = stagesOf(step.objects);
  for (const [index, stage] of stages.entries()) {
    if (!(await applyStage(pass, stage))) {
      const reason = "not written: an earlier stage failed, and the policy is atomic";
      for (const { address } of stages.slice(index + 1).flat()) pass.outcomes.add(address, "skipped", { reason });
      return false;
    }
    await awaitDefinitions(pass, stage);
  }
  if (pass.run !== undefined && step.hooks.length > 0) await pass.hooks.begin(pass.run, step.hooks);
  // Without a run there are no waves: what can be applied is applied.
  const failed = pass.outcomes.count("failed") > failedBefore;
  return !failed || (pass.run === undefined && policy.onError === "continue");
}

/** Everything that may be written is in the durable inventory before anything is. */
async function intend(pass: Pass, objects: readonly PreparedObject[]): Promise<void> {
  if (!pass.mayWrite) return;
  const { book } = pass;
  const intended = union(
    book.inventory,
    objects.map((object) => object.address),
  );
  await book.write(intended, "now");
}

async function stepStanding(pass: Pass, step: Step, last: boolean): Promise<Standing> {
  const { run } = pass;
  if (run === undefined) return { kind: "through" };
  const hooks = pass.hooks.standing(run, step.hooks);
  if (hooks.kind !== "through") return hooks;
  const going = step.objects.find(({ key }) => pass.waiting.has(key));
  if (going !== undefined) return { kind: "waits", reason: `${going.key} is being deleted` };
  return last ? { kind: "through" } : waveHealth(pass, step.objects);
}
