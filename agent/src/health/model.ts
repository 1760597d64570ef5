import type { ObjectRef } from "@capstan/proto";

/**
 * Argo CD's verdicts, best to worst: `Healthy`, `Suspended`, `Progressing`, `Missing`, `Degraded`, `Unknown`.
 * `Unknown` means that the object's own status could not be read as any of the others.
 */
export type HealthStatus = "Healthy" | "Suspended" | "Progressing" | "Missing" | "Degraded" | "Unknown";

/** One object's verdict, with one line for people (empty when there is nothing to add). No secret values. */
export interface Health {
  readonly status: HealthStatus;
  readonly message: string;
}

/** A target's verdict: the worst of its objects', and the first object that has it. */
export interface TargetHealth extends Health {
  /** The object that decides the verdict; none when the target is healthy or empty. */
  readonly cause: ObjectRef | undefined;
  /** How many objects have each verdict. */
  readonly counts: Readonly<Record<HealthStatus, number>>;
}
