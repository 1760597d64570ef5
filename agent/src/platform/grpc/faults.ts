import { Fault, type FaultCode, isFaultCode } from "@capstan/proto";
import { status as grpcStatus, type Metadata, type ServiceError } from "@grpc/grpc-js";

/** Trailer in which a hub names the fault's code. */
export const codeTrailer = "capstan-code";

/** What a status means where the hub did not name a code (a proxy answered, or an older hub). */
const byStatus: Partial<Record<number, FaultCode>> = {
  [grpcStatus.CANCELLED]: "cancelled",
  [grpcStatus.INVALID_ARGUMENT]: "bad-input",
  [grpcStatus.DEADLINE_EXCEEDED]: "timeout",
  [grpcStatus.NOT_FOUND]: "not-found",
  [grpcStatus.PERMISSION_DENIED]: "not-allowed",
  [grpcStatus.RESOURCE_EXHAUSTED]: "hub-unreachable",
  [grpcStatus.UNAUTHENTICATED]: "certificate-refused",
  [grpcStatus.UNIMPLEMENTED]: "unsupported",
};

/** A gRPC error as a fault: with the hub's own code where it gave one. */
export function grpcFault(error: ServiceError, endpoint: string): Fault {
  const named = namedCode(error.metadata);
  const code = named ?? byStatus[error.code] ?? "hub-unreachable";
  const message = error.details === "" ? `the hub at ${endpoint} ended the call.` : error.details;
  if (code !== "hub-unreachable" || named !== undefined) return new Fault(code, { message, cause: error });
  return new Fault(code, {
    message: `the hub at ${endpoint} cannot be reached: ${message}`,
    next: "Check the hub's address and that this cluster may connect to it.",
    cause: error,
  });
}

function namedCode(metadata: Metadata | undefined): FaultCode | undefined {
  const [code] = metadata?.get(codeTrailer) ?? [];
  return typeof code === "string" && isFaultCode(code) ? code : undefined;
}
