import assert from "node:assert/strict";
import { test } from "node:test";
import { Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { grpcFault } from "./faults.ts";

function error(code: number, details: string): ServiceError {
  return Object.assign(new Error(details), { code, details, metadata: new Metadata() });
}

test("a hub whose certificate is of the future is told as a clock that is off, with the cure", () => {
  const details = "No connection established. Last error: Error: certificate is not yet valid.";
  const fault = grpcFault(error(status.UNAVAILABLE, details), "hub:7443");
  assert.equal(fault.code, "clock-skew");
  assert.match(fault.message, /hub:7443 is not yet valid by this cluster's clock/);
  assert.match(fault.next ?? "", /NTP/);
  const away = grpcFault(error(status.UNAVAILABLE, "connect ECONNREFUSED"), "hub:7443");
  assert.equal(away.code, "hub-unreachable");
});
