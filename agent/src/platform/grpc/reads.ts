import { Fault } from "@capstan/proto";
import { AgentService } from "@capstan/proto/agent";
import type { DesiredSource } from "../../desired/port.ts";
import { callUnary } from "./calls.ts";
import type { CurrentChannel } from "./session.ts";

const deadlineMs = 10_000;

/** The level-triggered reads over the session's channel, for where NATS cannot be reached. */
export function grpcReads(current: () => CurrentChannel | undefined): DesiredSource {
  const channel = () => {
    const open = current();
    if (open !== undefined) return open;
    throw new Fault("hub-unreachable", { message: "there is no session with the hub now." });
  };
  return {
    async read(signal) {
      const { client, endpoint } = channel();
      const call = { request: {}, endpoint, deadlineMs, signal };
      return (await callUnary(client, AgentService.method.getDesired, call)).desired;
    },
    async chunk(digest, n, signal) {
      const { client, endpoint } = channel();
      const call = { request: { digest, chunk: n }, endpoint, deadlineMs, signal };
      return (await callUnary(client, AgentService.method.getChunk, call)).data;
    },
  };
}
