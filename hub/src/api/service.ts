import type { DescMethod, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";

/** Who calls, as the transport tells; nothing here is believed before `authorise` has looked at it. */
export interface CallContext {
  /** Client certificate (DER) whose chain and dates TLS has checked; undefined without one. */
  readonly certificate: Uint8Array | undefined;
  /** Bearer token of a person or program; undefined without one. */
  readonly token: string | undefined;
  /** `host:port` of the other side, for logs and audit. */
  readonly address: string;
  /** `/capstan.v1.FleetService/ListClusters`. */
  readonly method: string;
  /** Aborts when the caller goes away or the server ends. */
  readonly signal: AbortSignal;
}

type Input<M extends DescMethod> = MessageShape<M["input"]>;
type Output<M extends DescMethod> = MessageInitShape<M["output"]>;

/** What implements one method: a plain function, whatever carries it. */
export type Handler<M extends DescMethod> = M["methodKind"] extends "unary"
  ? (request: Input<M>, context: CallContext) => Promise<Output<M>>
  : M["methodKind"] extends "server_streaming"
    ? (request: Input<M>, context: CallContext) => AsyncIterable<Output<M>>
    : M["methodKind"] extends "bidi_streaming"
      ? (requests: AsyncIterable<Input<M>>, context: CallContext) => AsyncIterable<Output<M>>
      : never;

/** All methods of a service. */
export type Implementation<S extends DescService> = {
  readonly [K in keyof S["method"]]: Handler<S["method"][K]>;
};

/** A service with its implementation, as a server takes it. */
export interface Served {
  readonly service: DescService;
  readonly methods: Readonly<Record<string, unknown>>;
}

/** Pairs a service with its implementation; the types see to it that no method is missing. */
export function serve<S extends DescService>(service: S, methods: Implementation<S>): Served {
  return { service, methods: methods as Readonly<Record<string, unknown>> };
}
