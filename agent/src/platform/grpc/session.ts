import { Fault, systemClock } from "@capstan/proto";
import { AgentService, type ConnectRequest, type ConnectResponse } from "@capstan/proto/agent";
import { type Client, type ClientDuplexStream, connectivityState, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Identity } from "../../identity/model.ts";
import type { HubDialer, HubStream, StreamSink } from "../../link/port.ts";
import { openChannel } from "./channel.ts";
import { serviceDefinition } from "./definition.ts";
import { grpcFault } from "./faults.ts";

const connectPatience = 10_000;
const definition = serviceDefinition(AgentService);

/** The channel of the session that was dialled last; the level-triggered reads use it as well. */
export interface CurrentChannel {
  readonly client: Client;
  readonly endpoint: string;
}

/** Dials `AgentService.Connect`, one channel a session, mTLS. */
export class GrpcDialer implements HubDialer {
  #current: CurrentChannel | undefined;

  /** Undefined while no session is dialled. */
  get current(): CurrentChannel | undefined {
    return this.#current;
  }

  dial(endpoint: string, identity: Identity, sink: StreamSink): HubStream {
    const { credential } = identity;
    const client = openChannel(endpoint, {
      ca: credential.ca,
      own: { certificate: credential.certificate, key: credential.keys.tls },
    });
    const channel = { client, endpoint };
    this.#current = channel;
    return new GrpcStream(channel, sink, () => {
      client.close();
      if (this.#current === channel) this.#current = undefined;
    });
  }
}

class GrpcStream implements HubStream {
  readonly #channel: CurrentChannel;
  readonly #sink: StreamSink;
  readonly #release: () => void;
  #call: ClientDuplexStream<ConnectRequest, ConnectResponse> | undefined;
  #over = false;

  constructor(channel: CurrentChannel, sink: StreamSink, release: () => void) {
    this.#channel = channel;
    this.#sink = sink;
    this.#release = release;
    // Later than now: the link must not be called back while it carries out an effect.
    queueMicrotask(() => this.#open());
  }

  send(message: ConnectRequest): boolean {
    return this.#call?.write(message) ?? false;
  }

  close(): void {
    // Later than now: the link must not be called back while it carries out an effect.
    queueMicrotask(() => this.#close(new Fault("cancelled", { message: "the session was closed from here." })));
  }

  #open(): void {
    const rpc = definition["connect"];
    if (this.#over || rpc === undefined) return;
    const { client, endpoint } = this.#channel;
    const call: ClientDuplexStream<ConnectRequest, ConnectResponse> = client.makeBidiStreamRequest(
      rpc.path,
      rpc.requestSerialize,
      rpc.responseDeserialize,
      new Metadata(),
      {},
    );
    this.#call = call;
    call.on("data", (message: ConnectResponse) => this.#over || this.#sink.message(message));
    call.on("drain", () => this.#over || this.#sink.drained());
    call.on("error", (error: ServiceError) => this.#close(grpcFault(error, endpoint)));
    call.on("end", () =>
      this.#close(new Fault("hub-unreachable", { message: `the hub at ${endpoint} ended the stream.` })),
    );
    this.#awaitConnection(systemClock.now() + connectPatience);
  }

  /** The call fails by itself where the connection does; a connection that never comes to anything is given up here. */
  #awaitConnection(deadline: number): void {
    const channel = this.#channel.client.getChannel();
    const state = channel.getConnectivityState(true);
    if (this.#over) return;
    if (state === connectivityState.READY) {
      this.#sink.opened();
      return;
    }
    channel.watchConnectivityState(state, deadline, (error) => {
      if (error === undefined || error === null) this.#awaitConnection(deadline);
      else this.#close(this.#silent());
    });
  }

  #silent(): Fault {
    return new Fault("hub-unreachable", {
      message: `the hub at ${this.#channel.endpoint} did not answer within ${connectPatience / 1000} s.`,
      next: "Check the hub's address and that this cluster may connect to it.",
    });
  }

  #close(fault: Fault): void {
    if (this.#over) return;
    this.#over = true;
    this.#call?.cancel();
    this.#release();
    this.#sink.closed(fault);
  }
}
