import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { create, type DescMethod, type DescService, type Message } from "@bufbuild/protobuf";
import { Fault, limits } from "@capstan/proto";
import { ApplicationService } from "@capstan/proto/application";
import { FleetService } from "@capstan/proto/fleet";
import { RolloutService } from "@capstan/proto/rollout";
import { SystemService } from "@capstan/proto/system";
import { type ChannelOptions, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import type { Access, Client as CliClient, HubClient } from "../../cli/port.ts";
import { serviceDefinition } from "../grpc/definition.ts";
import { faultOf } from "../grpc/fault.ts";
import { parseEndpoint, pem } from "./endpoint.ts";

const patienceMs = 30_000;

const channelOptions: ChannelOptions = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.enable_retries": 0,
  "grpc.max_receive_message_length": 8 * limits.grpcMessageBytes,
  "grpc.max_send_message_length": limits.grpcMessageBytes,
};

/** A hub's API for people. Its endpoints are tried in turn; the one that answered is asked first from then on. */
export function connectHub(access: Access): HubClient {
  const channels = new Channels(access);
  return {
    fleet: clientOf(FleetService, channels),
    applications: clientOf(ApplicationService, channels),
    rollouts: clientOf(RolloutService, channels),
    system: clientOf(SystemService, channels),
    close: () => channels.close(),
  };
}

function clientOf<S extends DescService>(service: S, channels: Channels): CliClient<S> {
  const definition = serviceDefinition(service);
  const calls: Record<string, unknown> = {};
  for (const method of service.methods) {
    const wire = definition[method.localName];
    if (wire === undefined) continue;
    calls[method.localName] =
      method.methodKind === "server_streaming"
        ? (request: Fields, signal: AbortSignal) => channels.stream(wire, create(method.input, request), signal)
        : (request: Fields, signal: AbortSignal) => channels.unary(wire, create(method.input, request), signal);
  }
  return calls as CliClient<S>;
}

type Fields = Record<string, unknown>;
type Wire = ReturnType<typeof serviceDefinition>[string];
type Made = Message & { readonly $typeName: DescMethod["input"]["typeName"] };

class Channels {
  readonly #access: Access;
  readonly #open = new Map<string, Client>();
  #first = 0;

  constructor(access: Access) {
    this.#access = access;
  }

  close(): void {
    for (const client of this.#open.values()) client.close();
  }

  async unary(wire: Wire, request: Made, signal: AbortSignal): Promise<unknown> {
    return this.#inTurn((endpoint) => this.#ask(endpoint, wire, request, signal));
  }

  async *stream(wire: Wire, request: Made, signal: AbortSignal): AsyncIterable<unknown> {
    // A stream that broke is not begun again here: what came of it was seen. The next one asks the next hub.
    const endpoint = this.#endpoints()[0] ?? "";
    const call = this.#client(endpoint).makeServerStreamRequest(
      wire.path,
      wire.requestSerialize,
      wire.responseDeserialize,
      request,
      this.#metadata(),
    );
    const stop = () => call.cancel();
    signal.addEventListener("abort", stop, { once: true });
    try {
      for await (const message of call) yield message;
    } catch (thrown) {
      const fault = faultOf(thrown as ServiceError, endpoint);
      if (isElsewhere(fault)) this.#first = (this.#first + 1) % this.#access.endpoints.length;
      if (!signal.aborted) throw fault;
    } finally {
      signal.removeEventListener("abort", stop);
      call.cancel();
    }
  }

  /** Goes on to the next hub where one does not answer, or stands by. */
  async #inTurn<T>(call: (endpoint: string) => Promise<T>): Promise<T> {
    let last: Fault | undefined;
    for (const [at, endpoint] of this.#endpoints().entries()) {
      try {
        const answer = await call(endpoint);
        this.#first = (this.#first + at) % this.#access.endpoints.length;
        return answer;
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (!isElsewhere(fault)) throw fault;
        last = fault;
      }
    }
    throw last ?? new Fault("bad-config", { message: "expected a hub's address, found none.", next: "capstan login" });
  }

  #endpoints(): readonly string[] {
    const { endpoints } = this.#access;
    return [...endpoints.slice(this.#first), ...endpoints.slice(0, this.#first)];
  }

  #ask(endpoint: string, wire: Wire, request: Made, signal: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const call = this.#client(endpoint).makeUnaryRequest(
        wire.path,
        wire.requestSerialize,
        wire.responseDeserialize,
        request,
        this.#metadata(),
        { deadline: performance.timeOrigin + performance.now() + patienceMs },
        (error, answer) => {
          signal.removeEventListener("abort", stop);
          if (error === null) resolve(answer);
          else if (signal.aborted) reject(new Fault("cancelled", { message: "stopped." }));
          else reject(faultOf(error, endpoint));
        },
      );
      const stop = () => call.cancel();
      signal.addEventListener("abort", stop, { once: true });
    });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.#access.token}`);
    return metadata;
  }

  #client(endpoint: string): Client {
    const known = this.#open.get(endpoint);
    if (known !== undefined) return known;
    const ca = Buffer.from(pem(Buffer.from(this.#access.ca, "base64")));
    const { host } = parseEndpoint(endpoint);
    const secure = credentials.createSsl(ca, null, null, {
      checkServerIdentity: (_name, certificate) => checkHub(host, certificate),
    });
    // TLS has no server name for addresses.
    const name = isIP(host) === 0 ? {} : { "grpc.ssl_target_name_override": "capstan-hub" };
    const client = new Client(endpoint, secure, { ...channelOptions, ...name });
    this.#open.set(endpoint, client);
    return client;
  }
}

/** Whether another hub of the fleet may answer. */
function isElsewhere(fault: Fault): boolean {
  return fault.code === "hub-unreachable" || fault.code === "not-leader";
}

/** A hub is known by the URI name that only its own CA gives, whatever the address; else by its name as usual. */
function checkHub(host: string, certificate: PeerCertificate): Error | undefined {
  if (/(^|, )URI:spiffe:\/\/[^/,]+\/hub(\/|,|$)/.test(certificate.subjectaltname ?? "")) return undefined;
  return checkServerIdentity(host, certificate);
}
