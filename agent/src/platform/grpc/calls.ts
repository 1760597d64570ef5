import { create, type DescMethodUnary, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { Fault, systemClock } from "@capstan/proto";
import { AgentService } from "@capstan/proto/agent";
import { type Client, Metadata } from "@grpc/grpc-js";
import type { IdentityCalls } from "../../identity/port.ts";
import { openChannel } from "./channel.ts";
import { serviceDefinition } from "./definition.ts";
import { grpcFault } from "./faults.ts";
import { findPinnedCa } from "./pin.ts";

const definition = serviceDefinition(AgentService);

/** One call with a deadline (ms); its error becomes a fault. */
export function callUnary<M extends DescMethodUnary>(
  client: Client,
  method: M,
  call: {
    readonly request: MessageInitShape<M["input"]>;
    readonly endpoint: string;
    readonly deadlineMs: number;
    readonly signal: AbortSignal;
  },
): Promise<MessageShape<M["output"]>> {
  const rpc = definition[method.localName];
  if (rpc === undefined) throw new Fault("internal", { message: `no such method: ${method.localName}` });
  return new Promise((resolve, reject) => {
    const message = create(method.input, call.request);
    const running = client.makeUnaryRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize,
      message,
      new Metadata(),
      { deadline: systemClock.now() + call.deadlineMs },
      (error, answer) => {
        call.signal.removeEventListener("abort", stop);
        if (error !== null) reject(grpcFault(error, call.endpoint));
        else resolve(answer as MessageShape<M["output"]>);
      },
    );
    const stop = () => running.cancel();
    call.signal.addEventListener("abort", stop, { once: true });
    if (call.signal.aborted) stop();
  });
}

const deadlineMs = 15_000;

/** Enroll and Renew, each on a connection of its own. */
export const grpcIdentityCalls: IdentityCalls = {
  async enroll(endpoint, pin, request, signal) {
    const client = openChannel(endpoint, { ca: [await findPinnedCa(endpoint, pin, signal)] });
    try {
      return await callUnary(client, AgentService.method.enroll, { request, endpoint, deadlineMs, signal });
    } finally {
      client.close();
    }
  },
  async renew(endpoint, credential, request, signal) {
    const own = { certificate: credential.certificate, key: credential.keys.tls };
    const client = openChannel(endpoint, { ca: credential.ca, ...(request.proof === undefined ? { own } : {}) });
    try {
      return await callUnary(client, AgentService.method.renew, { request, endpoint, deadlineMs, signal });
    } finally {
      client.close();
    }
  },
};
