import { Fault } from "@capstan/proto";
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from "nats";

/** Where and as whom to connect. */
export interface NatsAccess {
  readonly servers: readonly string[];
  /** Content of a credentials file. */
  readonly credentials: Uint8Array;
  /** PEM of the CA of the servers' certificates; absent where the system's list of CAs is meant. */
  readonly ca?: string;
  /** False for a server without TLS (tests, a loopback address). */
  readonly tls: boolean;
  /** Shown in the server's list of connections. */
  readonly name: string;
}

/** The oldest server that fences a publish by another subject's sequence. */
const oldest = [2, 11] as const;

/** Connects, and keeps connecting for ever once it has been connected. Faults: `store-unavailable`, `nats-too-old`. */
export async function connectNats(access: NatsAccess, timeoutMs = 5_000): Promise<NatsConnection> {
  const options: ConnectionOptions = {
    servers: [...access.servers],
    authenticator: credsAuthenticator(access.credentials),
    name: access.name,
    timeout: timeoutMs,
    // The client's own defaults give up after 20 s and notice a frozen server after 6 min.
    maxReconnectAttempts: -1,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    pingInterval: 10_000,
    maxPingOut: 2,
    ...(access.tls ? { tls: access.ca === undefined ? {} : { ca: access.ca } } : {}),
  };
  try {
    const connection = await connect(options);
    try {
      refuseOld(connection);
    } catch (thrown) {
      await connection.close();
      throw thrown;
    }
    return connection;
  } catch (thrown) {
    if (thrown instanceof Fault) throw thrown;
    throw new Fault("store-unavailable", {
      message: `expected a NATS server at ${access.servers.join(", ")}, found: ${thrown instanceof Error ? thrown.message : String(thrown)}.`,
      next: "Check its address, its certificate and the credentials.",
      cause: thrown,
    });
  }
}

function refuseOld(connection: NatsConnection): void {
  const version = connection.info?.version ?? "0.0.0";
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > oldest[0] || (major === oldest[0] && minor >= oldest[1])) return;
  throw new Fault("nats-too-old", {
    message: `expected a NATS server of version ${oldest.join(".")} or later, found ${version}.`,
    next: "Upgrade the server: older ones cannot refuse a stale leader's writes.",
  });
}

/** The same promise, given up as soon as the signal aborts; what was under way may still take effect. */
export async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
