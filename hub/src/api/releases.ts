import { create } from "@bufbuild/protobuf";
import type { Digest } from "@capstan/proto";
import { type Release, ReleaseSchema } from "@capstan/proto/desired";
import type { RunState } from "../rollout/model.ts";
import type { LaneStanding } from "./port.ts";

/** The release that a run moves to. */
export function planRelease({ plan }: RunState): Release {
  return releaseMessage(plan.release, plan.cause);
}

/** The release that a run moves to; of a rollback the one that it goes back to, with that one's own cause. */
export function runRelease(run: RunState, standing: LaneStanding): Release {
  const known = run.plan.origin.kind === "rollback" ? knownRelease(run.plan.release, standing) : undefined;
  return known !== undefined && known.subject !== "" ? known : planRelease(run);
}

function releaseMessage(id: Digest, cause: RunState["plan"]["cause"]): Release {
  const { repository, commit, author, subject } = cause;
  return create(ReleaseSchema, { id, source: repository, commit, author, subject });
}

/** A release by its id, with its cause where a run of the lane tells it. */
export function knownRelease(id: Digest, { run, past, wanted }: LaneStanding): Release {
  for (const each of [run, ...past]) {
    if (each?.plan.release === id && each.plan.origin.kind !== "rollback") return planRelease(each);
  }
  if (wanted?.release.id === id) return releaseMessage(id, wanted.release.cause);
  return create(ReleaseSchema, { id });
}
