/**
 * Argo CD's verdicts, best to worst: `Healthy`, `Suspended`, `Progressing`, `Missing`, `Degraded`, `Unknown`.
 * `Unknown` means that the object's own status could not be read as any of the others.
 */
export type HealthStatus = "Healthy" | "Suspended" | "Progressing" | "Missing" | "Degraded" | "Unknown";

/** All verdicts, best to worst, as Argo CD orders them. */
export const healthOrder: readonly HealthStatus[] = [
  "Healthy",
  "Suspended",
  "Progressing",
  "Missing",
  "Degraded",
  "Unknown",
];

/** One object's verdict, with one line for people (empty when there is nothing to add). No secret values. */
export interface Health {
  readonly status: HealthStatus;
  readonly message: string;
}

/** An object with its status, as an API server returns it. Only what verdicts need is typed. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly generation?: number;
    readonly deletionTimestamp?: string;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly [field: string]: unknown;
  };
  readonly [field: string]: unknown;
}

/** A kind without its version: an apiVersion bump changes no verdict. */
export interface GroupKind {
  readonly group: string;
  readonly kind: string;
}

/** The group and kind of an object. */
export function groupKindOf(object: Pick<Manifest, "apiVersion" | "kind">): GroupKind {
  const slash = object.apiVersion.indexOf("/");
  return { group: slash < 0 ? "" : object.apiVersion.slice(0, slash), kind: object.kind };
}
