import { type Instant, objectKey, type TargetKey } from "@capstan/proto";
import type { Action, ApplyResult } from "../apply/model.ts";
import type { TargetStatus } from "../report/model.ts";
import type { Failure } from "./retry.ts";
import { blankStatus } from "./status.ts";

/** What this process knows of a target. */
export interface Live {
  status: TargetStatus;
  /** Generation and digest of which all objects were looked at. */
  looked: string;
  readonly suspects: Set<string>;
  /** Waits in a row for what has to go first. */
  attempts: number;
  /** The failures of the apply under way, if any. */
  failure: Failure | undefined;
  /** The last attempt that went well. */
  wentWell: string;
  /** A wave or a hook is waited for: any change of health is worth a look. */
  waits: boolean;
  /** What is to be looked at again by itself: damped corrections, and drift that a window shields. */
  recheck: { readonly objects: ReadonlySet<string>; readonly at: Instant } | undefined;
}

/** Before anything is known of a target. */
export function newLive(key: TargetKey): Live {
  const none = { failure: undefined, wentWell: "", waits: false, recheck: undefined };
  return { status: blankStatus(key), looked: "", suspects: new Set(), attempts: 0, ...none };
}

/** These objects are to be looked at again then, or sooner where others are. */
export function lookAgain(live: Live, objects: ReadonlySet<string>, at: Instant): void {
  if (objects.size === 0) return;
  const { recheck } = live;
  const all = new Set([...(recheck?.objects ?? []), ...objects]);
  live.recheck = { objects: all, at: Math.min(at, recheck?.at ?? at) };
}

/** What is due to be looked at again is suspected from now on. */
export function suspectDue(live: Live, now: Instant): void {
  if (live.recheck === undefined || live.recheck.at > now) return;
  for (const object of live.recheck.objects) live.suspects.add(object);
  live.recheck = undefined;
}

/** Keys of the objects with which a pass ended so. */
export function outcomesOf({ outcomes }: ApplyResult, ended: Action): ReadonlySet<string> {
  return new Set(outcomes.filter(({ action }) => action === ended).map(({ ref }) => objectKey(ref)));
}
