import type { Fault } from "@capstan/proto";
import type { ConnectRequest, ConnectResponse } from "@capstan/proto/agent";
import type { Identity } from "../identity/model.ts";

/**
 * What a stream tells; never before `dial` has returned. `opened` comes when messages may be sent; `closed` comes once,
 * last, and always.
 */
export interface StreamSink {
  opened(): void;
  message(message: ConnectResponse): void;
  closed(fault: Fault): void;
  /** After `send` was refused: there is room again. */
  drained(): void;
}

/** One open stream of `AgentService.Connect`. */
export interface HubStream {
  /** Hands the message over; false: it is taken, but nothing more should come before `drained`. */
  send(message: ConnectRequest): boolean;
  close(): void;
}

/** Opens streams. */
export interface HubDialer {
  dial(endpoint: string, identity: Identity, sink: StreamSink): HubStream;
}

/** What the NATS side tells. */
export interface HintSink {
  hint(revision: bigint): void;
  /** Connected for the first time or again: hints may have been lost. */
  connected(): void;
  disconnected(fault: Fault): void;
}
