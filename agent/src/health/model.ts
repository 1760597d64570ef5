import type { ObjectRef } from "@capstan/proto";
import type { Health, HealthStatus, Manifest } from "@capstan/proto/verdict";

export type { Health, HealthStatus } from "@capstan/proto/verdict";

/** A target's verdict: the worst of its objects', and the first object that has it. */
export interface TargetHealth extends Health {
  /** The object that decides the verdict; none when the target is healthy or empty. */
  readonly cause: ObjectRef | undefined;
  /** How many objects have each verdict. */
  readonly counts: Readonly<Record<HealthStatus, number>>;
}

/** Rules of a project that can be asked. Never throws; undefined where no rule is for the object's kind. */
export interface RuleReader {
  read(object: Manifest): Health | undefined;
}
