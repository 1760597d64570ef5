import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Fault, isFaultCode } from "@capstan/proto";
import { FaultDetailSchema } from "@capstan/proto/common";
import { Metadata, type ServiceError, type StatusObject, status } from "@grpc/grpc-js";

/** Trailer that carries a `FaultDetail`: code, next step and places, which a bare status cannot. */
const trailer = "capstan-fault-bin";

/** A fault as gRPC sends it. The cause stays here. */
export function statusOf(thrown: unknown): StatusObject {
  const fault = Fault.from(thrown);
  const metadata = new Metadata();
  const where = Object.fromEntries(Object.entries(fault.where).map(([name, value]) => [name, String(value)]));
  const hidden = fault.code === "internal";
  const detail = create(FaultDetailSchema, {
    code: fault.code,
    message: hidden ? "the hub met a fault of its own; its log tells more." : fault.message,
    next: fault.next ?? "",
    where,
  });
  metadata.set(trailer, Buffer.from(toBinary(FaultDetailSchema, detail)));
  return { code: fault.grpcStatus, details: detail.message, metadata };
}

/** What a client makes of an error: the fault that the hub sent, or what the transport says. */
export function faultOf(error: ServiceError, endpoint: string): Fault {
  const [bytes] = error.metadata?.get(trailer) ?? [];
  if (bytes instanceof Uint8Array) {
    const { code, message, next, where } = fromBinary(FaultDetailSchema, bytes);
    return new Fault(isFaultCode(code) ? code : "internal", { message, where, ...(next === "" ? {} : { next }) });
  }
  if (error.code === status.UNAVAILABLE || error.code === status.DEADLINE_EXCEEDED) {
    return new Fault("hub-unreachable", {
      message: `no hub answers at ${endpoint}: ${error.details}.`,
      next: "See that it runs and that the address is right (capstan context list).",
      cause: error,
    });
  }
  const code =
    error.code === status.UNIMPLEMENTED ? "unsupported" : error.code === status.CANCELLED ? "cancelled" : "internal";
  return new Fault(code, { message: error.details, cause: error });
}
