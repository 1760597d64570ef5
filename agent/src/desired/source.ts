import { Fault } from "@capstan/proto";
import type { DesiredSource } from "./port.ts";

/** A source that knows whether it may be tried. */
interface Sometimes extends DesiredSource {
  readonly connected: boolean;
}

/**
 * The reads by the chosen transport. `auto`: NATS; where it is not connected or does not answer, gRPC. A chunk that one
 * does not have may still be had from the other: a replica may lag behind.
 */
export function firstOf(
  nats: Sometimes | undefined,
  grpc: DesiredSource,
  transport: "nats" | "grpc" | "auto",
): DesiredSource {
  if (transport === "grpc" || nats === undefined) return grpc;
  if (transport === "nats") return nats;
  const either = async <T>(ask: (source: DesiredSource) => Promise<T>): Promise<T> => {
    if (!nats.connected) return ask(grpc);
    try {
      return await ask(nats);
    } catch (thrown) {
      const { code } = Fault.from(thrown);
      if (code !== "hub-unreachable" && code !== "not-found" && code !== "timeout") throw thrown;
      return ask(grpc);
    }
  };
  return {
    read: (signal) => either((source) => source.read(signal)),
    chunk: (digest, n, signal) => either((source) => source.chunk(digest, n, signal)),
  };
}
