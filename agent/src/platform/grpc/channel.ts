import { isIP } from "node:net";
import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { limits } from "@capstan/proto";
import { type ChannelOptions, Client, credentials } from "@grpc/grpc-js";

/** What a channel proves and trusts. */
export interface ChannelTrust {
  /** CA certificates, DER. */
  readonly ca: readonly Uint8Array[];
  /** Own certificate (DER) and its key (PKCS#8, base64); absent where nothing is proved. */
  readonly own?: { readonly certificate: Uint8Array; readonly key: string };
}

const options: ChannelOptions = {
  "grpc.keepalive_time_ms": 20_000,
  "grpc.keepalive_timeout_ms": 10_000,
  "grpc.keepalive_permit_without_calls": 1,
  // The link machine decides about retries; the library's buffer would hold messages twice.
  "grpc.enable_retries": 0,
  "grpc.initial_reconnect_backoff_ms": 500,
  "grpc.max_reconnect_backoff_ms": 15_000,
  "grpc.max_receive_message_length": limits.grpcMessageBytes,
  "grpc.max_send_message_length": limits.grpcMessageBytes,
  "grpc.use_local_subchannel_pool": 1,
};

/** A client of the hub at `host:port`. Nothing is dialled before the first call. */
export function openChannel(endpoint: string, trust: ChannelTrust): Client {
  const ca = Buffer.from(trust.ca.map((der) => pem("CERTIFICATE", der)).join(""));
  const key = trust.own === undefined ? null : Buffer.from(pem("PRIVATE KEY", Buffer.from(trust.own.key, "base64")));
  const certificate = trust.own === undefined ? null : Buffer.from(pem("CERTIFICATE", trust.own.certificate));
  const secure = credentials.createSsl(ca, key, certificate, {
    checkServerIdentity: (_, shown) => checkHub(parseEndpoint(endpoint).host, shown),
  });
  return new Client(endpoint, secure, { ...options, ...nameOverride(endpoint) });
}

/** TLS has no server name for addresses. */
function nameOverride(endpoint: string): ChannelOptions {
  const { host } = parseEndpoint(endpoint);
  return isIP(host) === 0 ? {} : { "grpc.ssl_target_name_override": hubName };
}

const hubName = "capstan-hub";

/**
 * The chain to the pinned CA and the certificate's purpose (server) are checked before. A hub is known by the URI name
 * that only its own CA gives, `spiffe://<fleet>/hub/<replica>`, whatever the address is by which it is reached; else by
 * its DNS name as usual.
 */
export function checkHub(host: string, certificate: PeerCertificate): Error | undefined {
  if (/(^|, )URI:spiffe:\/\/[^/,]+\/hub(\/|,|$)/.test(certificate.subjectaltname ?? "")) return undefined;
  return checkServerIdentity(host, certificate);
}

/** `host:port` or `[v6]:port` taken apart. */
export function parseEndpoint(endpoint: string): { readonly host: string; readonly port: number } {
  const colon = endpoint.lastIndexOf(":");
  return { host: endpoint.slice(0, colon).replace(/^\[|\]$/g, ""), port: Number(endpoint.slice(colon + 1)) };
}

/** DER as PEM. */
export function pem(label: string, der: Uint8Array): string {
  const body = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString("base64").replace(/.{64}/g, "$&\n");
  return `-----BEGIN ${label}-----\n${body.trimEnd()}\n-----END ${label}-----\n`;
}
