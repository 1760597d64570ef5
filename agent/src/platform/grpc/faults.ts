import { fromBinary } from "@bufbuild/protobuf";
import { Fault, type FaultCode, isFaultCode } from "@capstan/proto";
import { FaultDetailSchema } from "@capstan/proto/common";
import { status as grpcStatus, type ServiceError } from "@grpc/grpc-js";

/** Trailer in which a hub says what a bare status cannot: a `FaultDetail`. */
export const faultTrailer = "capstan-fault-bin";

/** What a status means where no hub said more: a proxy answered, or the transport failed. */
const byStatus: Partial<Record<number, FaultCode>> = {
  [grpcStatus.CANCELLED]: "cancelled",
  [grpcStatus.INVALID_ARGUMENT]: "bad-input",
  [grpcStatus.DEADLINE_EXCEEDED]: "timeout",
  [grpcStatus.NOT_FOUND]: "not-found",
  [grpcStatus.PERMISSION_DENIED]: "not-allowed",
  [grpcStatus.UNAUTHENTICATED]: "certificate-refused",
  [grpcStatus.UNIMPLEMENTED]: "unsupported",
};

/** What OpenSSL says of a certificate whose time has not come; the hub dates its own five minutes back. */
const notYetValid = "certificate is not yet valid";

/** A gRPC error as a fault: the hub's own where it gave one. */
export function grpcFault(error: ServiceError, endpoint: string): Fault {
  const told = hubFault(error);
  if (told !== undefined) return told;
  const code = byStatus[error.code] ?? "hub-unreachable";
  if (code !== "hub-unreachable")
    return new Fault(code, { message: error.details || `the hub at ${endpoint} ended the call.`, cause: error });
  if (error.details.includes(notYetValid)) {
    return new Fault("clock-skew", {
      message: `the certificate of the hub at ${endpoint} is not yet valid by this cluster's clock, which is behind the hub's.`,
      next: "Set both clocks by NTP; the agent then connects by itself.",
      cause: error,
    });
  }
  return new Fault(code, {
    message: `the hub at ${endpoint} cannot be reached: ${error.details || "it ended the call"}`,
    next: "Check the hub's address and that this cluster may connect to it.",
    cause: error,
  });
}

function hubFault(error: ServiceError): Fault | undefined {
  const [bytes] = error.metadata?.get(faultTrailer) ?? [];
  if (!(bytes instanceof Uint8Array)) return undefined;
  const { code, message, next, where } = fromBinary(FaultDetailSchema, bytes);
  // A code of a later version: what it means is unknown, so the same request may well succeed later.
  const known = isFaultCode(code) ? code : "hub-unreachable";
  return new Fault(known, { message, where, ...(next === "" ? {} : { next }), cause: error });
}
