/**
 * Every fault code that may cross the wire or reach a person. A code never changes its meaning and is never used again
 * once retired. `docs/faults.md` explains each; a test holds the table and that page together.
 *
 * `status` is the gRPC status name the code maps to; `retryable` tells whether the same request may succeed later
 * without anybody changing it.
 */
export const faultTable = {
  "bad-input": { status: "INVALID_ARGUMENT", retryable: false },
  "bad-yaml": { status: "INVALID_ARGUMENT", retryable: false },
  "bad-config": { status: "INVALID_ARGUMENT", retryable: false },
  "bad-template": { status: "INVALID_ARGUMENT", retryable: false },
  "bad-manifest": { status: "INVALID_ARGUMENT", retryable: false },
  "too-large": { status: "INVALID_ARGUMENT", retryable: false },
  "unknown-kind": { status: "INVALID_ARGUMENT", retryable: false },
  "unknown-generator": { status: "INVALID_ARGUMENT", retryable: false },
  "unknown-cluster": { status: "FAILED_PRECONDITION", retryable: true },
  "name-conflict": { status: "ALREADY_EXISTS", retryable: false },
  "not-found": { status: "NOT_FOUND", retryable: false },
  "already-exists": { status: "ALREADY_EXISTS", retryable: false },
  "etag-mismatch": { status: "ABORTED", retryable: true },
  conflict: { status: "ABORTED", retryable: true },
  held: { status: "FAILED_PRECONDITION", retryable: false },
  "not-now": { status: "FAILED_PRECONDITION", retryable: false },
  "not-allowed": { status: "PERMISSION_DENIED", retryable: false },
  "not-signed-in": { status: "UNAUTHENTICATED", retryable: false },
  "token-refused": { status: "UNAUTHENTICATED", retryable: false },
  "certificate-refused": { status: "UNAUTHENTICATED", retryable: false },
  revoked: { status: "PERMISSION_DENIED", retryable: false },
  "clock-skew": { status: "FAILED_PRECONDITION", retryable: true },
  "signature-refused": { status: "FAILED_PRECONDITION", retryable: false },
  "wrong-fleet": { status: "FAILED_PRECONDITION", retryable: false },
  "wrong-cluster": { status: "FAILED_PRECONDITION", retryable: false },
  "wrong-incarnation": { status: "FAILED_PRECONDITION", retryable: false },
  "older-revision": { status: "FAILED_PRECONDITION", retryable: false },
  "same-revision-other-content": { status: "FAILED_PRECONDITION", retryable: false },
  "feature-missing": { status: "FAILED_PRECONDITION", retryable: false },
  "digest-mismatch": { status: "DATA_LOSS", retryable: true },
  "version-unsupported": { status: "FAILED_PRECONDITION", retryable: false },
  "repository-unreachable": { status: "UNAVAILABLE", retryable: true },
  "repository-not-found": { status: "NOT_FOUND", retryable: true },
  "repository-auth": { status: "UNAUTHENTICATED", retryable: true },
  "revision-not-found": { status: "NOT_FOUND", retryable: true },
  "path-not-found": { status: "NOT_FOUND", retryable: false },
  "path-escapes": { status: "INVALID_ARGUMENT", retryable: false },
  "link-refused": { status: "INVALID_ARGUMENT", retryable: false },
  "remote-refused": { status: "INVALID_ARGUMENT", retryable: false },
  "path-empty": { status: "INVALID_ARGUMENT", retryable: false },
  "api-unreachable": { status: "UNAVAILABLE", retryable: true },
  "api-auth": { status: "UNAUTHENTICATED", retryable: true },
  "api-answer": { status: "FAILED_PRECONDITION", retryable: true },
  "rate-limited": { status: "RESOURCE_EXHAUSTED", retryable: true },
  "render-failed": { status: "FAILED_PRECONDITION", retryable: false },
  "render-limit": { status: "RESOURCE_EXHAUSTED", retryable: false },
  "tool-missing": { status: "FAILED_PRECONDITION", retryable: false },
  "store-unavailable": { status: "UNAVAILABLE", retryable: true },
  "store-full": { status: "RESOURCE_EXHAUSTED", retryable: true },
  "not-leader": { status: "UNAVAILABLE", retryable: true },
  "nats-too-old": { status: "FAILED_PRECONDITION", retryable: false },
  "port-in-use": { status: "FAILED_PRECONDITION", retryable: false },
  "data-in-use": { status: "FAILED_PRECONDITION", retryable: false },
  "hub-unreachable": { status: "UNAVAILABLE", retryable: true },
  "cluster-unreachable": { status: "UNAVAILABLE", retryable: true },
  "cluster-refused": { status: "FAILED_PRECONDITION", retryable: false },
  "object-conflict": { status: "ABORTED", retryable: false },
  "object-owned": { status: "FAILED_PRECONDITION", retryable: false },
  "hook-failed": { status: "FAILED_PRECONDITION", retryable: false },
  "kind-not-served": { status: "FAILED_PRECONDITION", retryable: true },
  cancelled: { status: "CANCELLED", retryable: true },
  timeout: { status: "DEADLINE_EXCEEDED", retryable: true },
  unsupported: { status: "UNIMPLEMENTED", retryable: false },
  internal: { status: "INTERNAL", retryable: false },
} as const satisfies Record<string, { status: GrpcStatusName; retryable: boolean }>;

/** A stable, searchable name of what went wrong. */
export type FaultCode = keyof typeof faultTable;

/** The gRPC status names that faults map to (google.rpc.Code). */
export type GrpcStatusName =
  | "CANCELLED"
  | "INVALID_ARGUMENT"
  | "DEADLINE_EXCEEDED"
  | "NOT_FOUND"
  | "ALREADY_EXISTS"
  | "PERMISSION_DENIED"
  | "RESOURCE_EXHAUSTED"
  | "FAILED_PRECONDITION"
  | "ABORTED"
  | "UNIMPLEMENTED"
  | "INTERNAL"
  | "UNAVAILABLE"
  | "DATA_LOSS"
  | "UNAUTHENTICATED";

/** Numbers of the status names, as gRPC defines them. */
export const grpcStatusNumber: Record<GrpcStatusName, number> = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  DATA_LOSS: 15,
  UNAUTHENTICATED: 16,
};

/** Whether a text, read from the wire, is a code that this version knows. */
export function isFaultCode(text: string): text is FaultCode {
  return Object.hasOwn(faultTable, text);
}
