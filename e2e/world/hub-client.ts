import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { ApplicationService } from "@capstan/proto/application";
import { FleetService } from "@capstan/proto/fleet";
import { RolloutService } from "@capstan/proto/rollout";
import { SystemService } from "@capstan/proto/system";
import { generous } from "@capstan/proto/testing";
import { type CallOptions, Client, credentials, Metadata } from "@grpc/grpc-js";
import { until } from "./wait.ts";

/** One method: a unary one answers once, a watch answers until its signal aborts. */
type Call<M extends DescMethod> = M["methodKind"] extends "server_streaming"
  ? (request: MessageInitShape<M["input"]>, signal: AbortSignal) => AsyncIterable<MessageShape<M["output"]>>
  : (request: MessageInitShape<M["input"]>, options?: CallOptions) => Promise<MessageShape<M["output"]>>;

/** A service as typed methods, named as in the schema. */
export type ServiceClient<S extends DescService> = { readonly [K in keyof S["method"]]: Call<S["method"][K]> };

/** A credential as a hub's `admin.json` has it. */
export interface HubCredential {
  /** The CA's certificate, DER in base64. */
  readonly ca: string;
  readonly token: string;
}

/** The first admin's credential, from a hub's data folder; a hub writes it when it leads for the first time. */
export async function adminCredential(dataDir: string): Promise<HubCredential> {
  const read = () => readFile(join(dataDir, "admin.json"), "utf8");
  return JSON.parse(await until("the first admin's credential", read, 10_000)) as HubCredential;
}

/** Milliseconds until a unary call gives up. */
const patience = generous(10_000);

/** The people's API, typed, for assertions; it retries nothing. Errors are grpc-js' own, with `code` and `details`. */
export class HubClient implements Disposable {
  readonly fleet: ServiceClient<typeof FleetService>;
  readonly applications: ServiceClient<typeof ApplicationService>;
  readonly rollouts: ServiceClient<typeof RolloutService>;
  readonly system: ServiceClient<typeof SystemService>;
  /** The token that it calls with. */
  readonly token: string;
  readonly ca: string;
  readonly #client: Client;

  constructor(endpoint: string, credential: HubCredential) {
    this.token = credential.token;
    this.ca = credential.ca;
    this.#client = new Client(endpoint, credentials.createSsl(Buffer.from(pemOf(credential.ca))), {
      "grpc.initial_reconnect_backoff_ms": 100,
      // The certificate is good for both, and an address is no name in TLS.
      "grpc.ssl_target_name_override": "localhost",
    });
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${credential.token}`);
    this.fleet = serviceClient(FleetService, this.#client, metadata);
    this.applications = serviceClient(ApplicationService, this.#client, metadata);
    this.rollouts = serviceClient(RolloutService, this.#client, metadata);
    this.system = serviceClient(SystemService, this.#client, metadata);
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}

/** A certificate (DER in base64) as PEM. */
export function pemOf(certificate: string): string {
  const lines = certificate.match(/.{1,64}/g) ?? [];
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

function serviceClient<S extends DescService>(service: S, client: Client, metadata: Metadata): ServiceClient<S> {
  const methods: Record<string, unknown> = {};
  for (const method of service.methods) {
    methods[method.localName] =
      method.methodKind === "server_streaming" ? streaming(method, client, metadata) : unary(method, client, metadata);
  }
  return methods as ServiceClient<S>;
}

type Request = MessageInitShape<DescMessage>;

const wire = (method: DescMethod) => ({
  path: `/${method.parent.typeName}/${method.name}`,
  encode: (request: Request) => Buffer.from(toBinary(method.input, create(method.input, request))),
  decode: (bytes: Buffer) => fromBinary(method.output, bytes),
});

function unary(method: DescMethod, client: Client, metadata: Metadata) {
  const { path, encode, decode } = wire(method);
  return (request: Request, options: CallOptions = {}) =>
    new Promise((resolve, reject) => {
      const bounded = { deadline: Date.now() + patience, ...options };
      client.makeUnaryRequest<Request, Message>(path, encode, decode, request, metadata, bounded, (error, answer) => {
        if (error === null) resolve(answer);
        else reject(error);
      });
    });
}

function streaming(method: DescMethod, client: Client, metadata: Metadata) {
  const { path, encode, decode } = wire(method);
  return async function* (request: Request, signal: AbortSignal) {
    const stream = client.makeServerStreamRequest<Request, Message>(path, encode, decode, request, metadata);
    const stop = () => stream.cancel();
    signal.addEventListener("abort", stop, { once: true });
    try {
      yield* stream;
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener("abort", stop);
      stop();
    }
  };
}
