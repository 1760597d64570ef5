import { RolloutService, type RolloutView } from "@capstan/proto/rollout";
import { notYet, until } from "../world/wait.ts";
import type { BenchFleet } from "./fleet.ts";
import { setOfAll } from "./herd.ts";

/** The lane that benches of rollouts move: a set `web` with one path. */
export const lane = "web";
/** What each commit changes. */
export const settings = "apps/web/settings.yaml";

/** The set `web`, moved by a RolloutStrategy of this spec (YAML in one line). */
export function stagedSet(repoURL: string, spec: string): { readonly [path: string]: string } {
  const set = setOfAll({ name: "web", repoURL, source: "path: apps/web" })
    .replace("  strategy:\n    type: AllAtOnce\n", "")
    .replace("  namespace: argocd\n", "  namespace: argocd\n  annotations: {capstan.dev/strategy: bench}\n");
  const strategy = `apiVersion: capstan.dev/v1\nkind: RolloutStrategy\nmetadata: {name: bench, namespace: argocd}\nspec: ${spec}\n`;
  return { "argocd/web.yaml": set, "argocd/strategy.yaml": strategy };
}

/** The lane's newest rollout as a person sees it. */
export async function newest(fleet: BenchFleet): Promise<RolloutView> {
  const { rollout } = await fleet.call(RolloutService.method.getRollout, { id: lane });
  if (rollout === undefined) throw new Error("the lane has no rollout");
  return rollout;
}

/** Waits until a rollout other than `before` is in this state. */
export async function untilState(
  fleet: BenchFleet,
  of: { readonly before: string; readonly state: string; readonly bound: number },
): Promise<RolloutView> {
  return until(
    `a rollout that is ${of.state}`,
    async () => {
      const now = await newest(fleet);
      return now.id !== of.before && now.state === of.state ? now : notYet(`${now.id} ${now.state}`);
    },
    of.bound,
  );
}
