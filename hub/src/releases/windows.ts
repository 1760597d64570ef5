import { equals } from "@bufbuild/protobuf";
import type { ClusterId, TargetKey } from "@capstan/proto";
import { type DesiredTarget, WindowSchema } from "@capstan/proto/desired";
import type { WantedLane } from "./model.ts";

/** A target whose windows are to be changed where it stands. */
export interface Adjustment {
  readonly cluster: ClusterId;
  readonly target: TargetKey;
  readonly windows: DesiredTarget["windows"];
}

/**
 * Targets that stand with other windows than people ask for. Windows act at once, whatever the rollout of their content
 * (design §3.4). Pure.
 */
export function windowChanges(
  lanes: readonly WantedLane[],
  held: (cluster: ClusterId, target: TargetKey) => DesiredTarget | undefined,
): Adjustment[] {
  return lanes.flatMap(({ release, contents }) =>
    release.targets.flatMap(({ cluster, target, content }) => {
      const windows = contents.get(content)?.target.windows;
      const now = held(cluster, target)?.windows;
      if (windows === undefined || now === undefined || same(windows, now)) return [];
      return [{ cluster, target, windows }];
    }),
  );
}

function same(a: DesiredTarget["windows"], b: DesiredTarget["windows"]): boolean {
  return a.length === b.length && a.every((window, index) => equals(WindowSchema, window, b[index] ?? window));
}
