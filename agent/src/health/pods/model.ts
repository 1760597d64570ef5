import type { Instant } from "@capstan/proto";

/** Something that keeps a pod from working, in words that need no knowledge of what is inside Kubernetes. */
export interface PodCause {
  /** Kubernetes' own word for it, for a search: `CrashLoopBackOff`. */
  readonly reason: string;
  /** What one pod does: `cannot pull image x: not found`. Pods with the same text have the same cause. */
  readonly one: string;
  /** What several pods do: `crash: …` where one `crashes: …`. */
  readonly many: string;
  /** The way of a pod from being made to being ready; the cause that is earliest on it is told first. */
  readonly step: Step;
  /** Restarts of the container that crashes; 0 where nothing does. */
  readonly restarts: number;
}

/** The way of a pod, in its order. */
export const steps = ["making", "scheduling", "volumes", "image", "starting", "running", "ready", "ending"] as const;

/** A step of that way. */
export type Step = (typeof steps)[number];

/** An event of Kubernetes, as far as causes need it. */
export interface PodEvent {
  readonly reason: string;
  readonly message: string;
  readonly at: Instant;
}

/** A workload's pods, as one look found them. */
export interface PodsSeen {
  /** Pods the workload is to have; undefined where it does not say. */
  readonly wanted: number | undefined;
  /** One entry a pod that is there; undefined: nothing is wrong with it. */
  readonly causes: readonly (PodCause | undefined)[];
  /** There are more pods than were looked at. */
  readonly more: boolean;
  /** Why pods that should be there could not be made. */
  readonly making: PodCause | undefined;
}

/** Longest text that is taken over from Kubernetes, in characters. */
export const longest = 160;

/** One line of at most `longest` characters. */
export function clipped(text: string): string {
  const line = text.replace(/\s+/g, " ").trim().replace(/\.$/, "");
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}

/** A cause whose two forms differ in their first word: `cause("image", "ErrImagePull", "pulls|pull", "nothing")`. */
export function cause(step: Step, reason: string, verbs: string, rest: string): PodCause {
  const [one = "", many = one] = verbs.split("|");
  const tail = rest === "" ? "" : ` ${rest}`;
  return { reason, one: `${one}${tail}`, many: `${many}${tail}`, step, restarts: 0 };
}
