import type { AccountJwts } from "./accounts.ts";

/** What the embedded server's configuration is made of. */
export interface ServerConfig {
  /** Unique for each start: by it a running server is known again. */
  readonly name: string;
  readonly host: string;
  readonly port: number;
  /** Absent only where the server listens on a loopback address alone. */
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Folder of all that the server keeps. */
  readonly folder: string;
  /** Bytes that the store may take. */
  readonly maxStore: number;
  readonly jwts: AccountJwts;
  readonly systemAccount: string;
}

/**
 * The configuration file's text. One listener: no monitoring, websocket, MQTT, leafnode, gateway or cluster port. Account
 * JWTs other than SYS stand in the resolver's folder, where pushed ones (revocations) take their place.
 */
export function serverConfigText(config: ServerConfig): string {
  const quoted = (text: string) => JSON.stringify(text);
  const system = config.jwts.accounts.find(({ key }) => key === config.systemAccount)?.jwt ?? "";
  const tls =
    config.tls === undefined
      ? ""
      : `tls { cert_file: ${quoted(config.tls.cert)}, key_file: ${quoted(config.tls.key)}, timeout: 10 }\n`;
  return `server_name: ${quoted(config.name)}
host: ${quoted(config.host)}
port: ${config.port}
pid_file: ${quoted(`${config.folder}/nats.pid`)}
log_file: ${quoted(`${config.folder}/server.log`)}
logfile_size_limit: 10MB
logfile_max_num: 3
max_payload: 1048576
max_connections: 65536
write_deadline: "10s"
${tls}operator: ${config.jwts.operator}
system_account: ${config.systemAccount}
resolver: { type: full, dir: ${quoted(`${config.folder}/jwt`)}, allow_delete: false, interval: "2m" }
resolver_preload: { ${config.systemAccount}: ${system} }
jetstream { store_dir: ${quoted(`${config.folder}/jetstream`)}, sync_interval: "always", max_file_store: ${config.maxStore} }
`;
}
