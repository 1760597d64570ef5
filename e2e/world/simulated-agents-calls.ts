import { createHash } from "node:crypto";
import { connect, type DetailedPeerCertificate } from "node:tls";
import {
  create,
  type DescMessage,
  type DescMethod,
  type DescMethodUnary,
  type DescService,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ChannelOptions, Client, credentials, Metadata } from "@grpc/grpc-js";
import { pem } from "./simulated-agents-keys.ts";

/** What a channel to a hub trusts and proves. */
export interface HubTrust {
  /** DER. */
  readonly ca: readonly Uint8Array[];
  /** Certificate (DER) and key (PEM), where the caller proves itself. */
  readonly own?: { readonly certificate: Uint8Array; readonly key: string };
}

const channelOptions: ChannelOptions = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.enable_retries": 0,
  "grpc.use_local_subchannel_pool": 1,
  "grpc.ssl_target_name_override": "capstan-hub",
};

/** A connection of its own to the hub at `host:port`; whoever stands under the hub's own CA is the hub. */
export function openHub(endpoint: string, trust: HubTrust): Client {
  const ca = Buffer.from(trust.ca.map((der) => pem("CERTIFICATE", der)).join(""));
  const { own } = trust;
  const key = own === undefined ? null : Buffer.from(own.key);
  const certificate = own === undefined ? null : Buffer.from(pem("CERTIFICATE", own.certificate));
  const secure = credentials.createSsl(ca, key, certificate, { checkServerIdentity: () => undefined });
  return new Client(endpoint, secure, channelOptions);
}

/** One call. `token` is a person's. */
export function callUnary<M extends DescMethodUnary>(
  client: Client,
  method: M,
  call: { readonly request: MessageInitShape<M["input"]>; readonly token?: string; readonly deadlineMs?: number },
): Promise<MessageShape<M["output"]>> {
  const { request, token, deadlineMs = 30_000 } = call;
  const metadata = new Metadata();
  if (token !== undefined) metadata.set("authorization", `Bearer ${token}`);
  const { path, write, read } = wireOf(method.parent, method);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      path,
      write,
      read,
      create(method.input, request),
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, answer) => (error === null ? resolve(answer as MessageShape<M["output"]>) : reject(error)),
    );
  });
}

/** A method as gRPC for Node takes it. */
export function wireOf<I extends DescMessage, O extends DescMessage>(
  service: DescService,
  method: DescMethod & { readonly input: I; readonly output: O },
) {
  return {
    path: `/${service.typeName}/${method.name}`,
    write: (value: MessageShape<I>) => Buffer.from(toBinary(method.input, value)),
    read: (bytes: Buffer): MessageShape<O> => fromBinary(method.output, bytes),
  };
}

/** The CA (DER) with this SHA-256 from the chain that the hub shows, as an agent with a join token finds it. */
export function findCa(endpoint: string, pin: string): Promise<Uint8Array> {
  const [host = "", port = ""] = endpoint.split(":");
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(port), rejectUnauthorized: false, ALPNProtocols: ["h2"] });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      const found = inChain(socket.getPeerCertificate(true), pin);
      socket.destroy();
      if (found === undefined) reject(new Error(`${endpoint} does not stand under the CA ${pin}`));
      else resolve(found);
    });
  });
}

function inChain(first: DetailedPeerCertificate, pin: string): Uint8Array | undefined {
  let certificate: DetailedPeerCertificate | undefined = first;
  for (let depth = 0; depth < 8 && certificate?.raw !== undefined; depth += 1) {
    if (createHash("sha256").update(certificate.raw).digest("hex") === pin) return certificate.raw;
    certificate = certificate.issuerCertificate;
  }
  return undefined;
}
