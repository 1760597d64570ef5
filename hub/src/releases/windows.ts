import { equals } from "@bufbuild/protobuf";
import type { ClusterId, TargetKey } from "@capstan/proto";
import { type DesiredTarget, WindowSchema } from "@capstan/proto/desired";
import type { WantedLane } from "./model.ts";

/** What is to be changed of a target where it stands, whatever the rollout of its content. */
export interface Adjustment {
  readonly cluster: ClusterId;
  readonly target: TargetKey;
  readonly change: Partial<Pick<DesiredTarget, "windows" | "set" | "lane">>;
}

/**
 * Targets that stand with other windows than people ask for, or under another name of set or lane. Windows act at once
 * (design §3.4), and so do names: else what is only called otherwise would look as if it had gone. Pure.
 */
export function adjustments(
  lanes: readonly WantedLane[],
  held: (cluster: ClusterId, target: TargetKey) => DesiredTarget | undefined,
): Adjustment[] {
  return lanes.flatMap(({ name, release, contents }) =>
    release.targets.flatMap(({ cluster, target, content }) => {
      const wanted = contents.get(content)?.target;
      const now = held(cluster, target);
      if (wanted === undefined || now === undefined) return [];
      const windows = same(wanted.windows, now.windows) ? {} : { windows: wanted.windows };
      const set = wanted.set === now.set ? {} : { set: wanted.set };
      const lane = name === now.lane ? {} : { lane: name };
      const change = { ...windows, ...set, ...lane };
      return Object.keys(change).length === 0 ? [] : [{ cluster, target, change }];
    }),
  );
}

function same(a: DesiredTarget["windows"], b: DesiredTarget["windows"]): boolean {
  return a.length === b.length && a.every((window, index) => equals(WindowSchema, window, b[index] ?? window));
}
