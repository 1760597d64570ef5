import type { EventEmitter } from "node:events";
import { create, type DescMessage, type DescMethod, type Message } from "@bufbuild/protobuf";
import { Fault, limits } from "@capstan/proto";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Server,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServerWritableStream,
} from "@grpc/grpc-js";
import type { CallContext, Served } from "../../api/service.ts";
import type { AskingCredentials } from "./credentials.ts";
import { serviceDefinition } from "./definition.ts";
import { statusOf } from "./fault.ts";

/** What a gRPC server is started with. */
export interface GrpcServerOptions {
  readonly address: string;
  readonly port: number;
  readonly credentials: AskingCredentials;
  readonly services: readonly Served[];
  /** Longest life of a connection in milliseconds: nothing else ends a session when its certificate expires. */
  readonly connectionAgeMs: number;
  /** Told of every fault of the hub's own, which callers do not see. */
  onFault(fault: Fault, method: string): void;
}

/** A listening server. */
export interface GrpcServer {
  readonly port: number;
  /** Ends: streams are told, calls under way get a moment, then all is cut. */
  stop(): Promise<void>;
}

type Call =
  | ServerUnaryCall<Message, Message>
  | ServerWritableStream<Message, Message>
  | ServerDuplexStream<Message, Message>;

/** Listens. Throws `port-in-use`. */
export async function startGrpcServer(options: GrpcServerOptions): Promise<GrpcServer> {
  const server = new Server({
    "grpc.max_receive_message_length": limits.grpcMessageBytes,
    "grpc.max_send_message_length": 8 * limits.grpcMessageBytes,
    "grpc.max_concurrent_streams": 100,
    "grpc.max_connection_age_ms": options.connectionAgeMs,
    "grpc.max_connection_age_grace_ms": 10_000,
    "grpc.keepalive_time_ms": 20_000,
    "grpc.keepalive_timeout_ms": 10_000,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,
  });
  const ending = new AbortController();
  for (const { service, methods } of options.services) {
    const handlers: Record<string, never> = {};
    for (const method of service.methods) {
      const implementation = methods[method.localName];
      handlers[method.localName] = adapt(method, implementation, { options, ending: ending.signal }) as never;
    }
    server.addService(serviceDefinition(service), handlers);
  }
  const port = await bind(server, options);
  return {
    port,
    stop: () =>
      new Promise((resolve) => {
        ending.abort();
        server.tryShutdown(() => resolve());
        // Clients that hold their streams open are cut.
        setTimeout(() => server.forceShutdown(), 500).unref();
      }),
  };
}

function bind(server: Server, { address, port, credentials }: GrpcServerOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    server.bindAsync(`${address}:${port}`, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else if (/EADDRINUSE/.test(error.message)) {
        reject(
          new Fault("port-in-use", {
            message: `${address}:${port} is in use by another program.`,
            next: "Stop it, or choose another port: listen.grpc.",
            cause: error,
          }),
        );
      } else reject(error);
    });
  });
}

interface Carried {
  readonly options: GrpcServerOptions;
  readonly ending: AbortSignal;
}

function adapt(method: DescMethod, implementation: unknown, carried: Carried) {
  switch (method.methodKind) {
    case "unary":
      return unary(method, implementation as (request: Message, context: CallContext) => Promise<Init>, carried);
    case "server_streaming":
      return streaming(method, implementation as Stream<Message>, carried);
    case "bidi_streaming":
      return bidi(method, implementation as Stream<AsyncIterable<Message>>, carried);
    case "client_streaming":
      throw new Fault("internal", { message: `${method.name}: client streams are not in the schema.` });
  }
}

/** What an implementation answers with: the fields of a message. */
type Init = Record<string, unknown>;

type Stream<I> = (request: I, context: CallContext) => AsyncIterable<Init>;

function unary(
  method: DescMethod,
  implementation: (request: Message, context: CallContext) => Promise<Init>,
  carried: Carried,
): handleUnaryCall<Message, Message> {
  return (call, callback) => {
    const context = contextOf(call, method, carried);
    implementation(call.request, context).then(
      (answer) => callback(null, create(method.output as DescMessage, answer)),
      (thrown: unknown) => callback(report(thrown, context, carried)),
    );
  };
}

function streaming(
  method: DescMethod,
  implementation: Stream<Message>,
  carried: Carried,
): handleServerStreamingCall<Message, Message> {
  return (call) => {
    const context = contextOf(call, method, carried);
    void pump(call, method, () => implementation(call.request, context), { context, carried });
  };
}

function bidi(
  method: DescMethod,
  implementation: Stream<AsyncIterable<Message>>,
  carried: Carried,
): handleBidiStreamingCall<Message, Message> {
  return (call) => {
    const context = contextOf(call, method, carried);
    void pump(call, method, () => implementation(received(call), context), { context, carried });
  };
}

/** The messages of the other side; ends quietly when it goes away. */
async function* received(call: ServerDuplexStream<Message, Message>): AsyncIterable<Message> {
  try {
    for await (const message of call) yield message as Message;
  } catch {
    // The peer cut the stream: that is the end of its messages. The session's own signal tells why.
  }
}

/** Writes what the implementation yields, no faster than the other side reads. */
async function pump(
  call: ServerWritableStream<Message, Message> | ServerDuplexStream<Message, Message>,
  method: DescMethod,
  start: () => AsyncIterable<Init>,
  { context, carried }: { context: CallContext; carried: Carried },
): Promise<void> {
  try {
    for await (const answer of start()) {
      if (context.signal.aborted) break;
      if (!call.write(create(method.output as DescMessage, answer)))
        await drained(call as EventEmitter, context.signal);
    }
    call.end();
  } catch (thrown) {
    if (call.destroyed) return;
    call.emit("error", report(thrown, context, carried));
  }
}

function drained(call: EventEmitter, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      call.off("drain", done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    call.once("drain", done);
    signal.addEventListener("abort", done, { once: true });
    if (signal.aborted) done();
  });
}

function contextOf(call: Call, method: DescMethod, { ending }: Carried): CallContext {
  const gone = new AbortController();
  const leave = () => gone.abort();
  const events: EventEmitter = call;
  events.once("cancelled", leave);
  events.once("close", leave);
  const [authorization] = call.metadata.get("authorization");
  const bearer = typeof authorization === "string" ? /^Bearer (.+)$/i.exec(authorization)?.[1] : undefined;
  const peer = call.getAuthContext().sslPeerCertificate;
  return {
    certificate: peer?.raw === undefined ? undefined : new Uint8Array(peer.raw),
    token: bearer,
    address: call.getPeer(),
    method: `/${method.parent.typeName}/${method.name}`,
    signal: AbortSignal.any([gone.signal, ending]),
  };
}

function report(thrown: unknown, context: CallContext, { options }: Carried) {
  const fault = Fault.from(thrown);
  if (fault.code === "internal") options.onFault(fault, context.method);
  return statusOf(fault);
}
