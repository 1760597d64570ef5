import { checkServerIdentity, type PeerCertificate } from "node:tls";
import { Fault, systemClock } from "@capstan/proto";
import {
  type ConnectionOptions,
  connect,
  credsAuthenticator,
  ErrorCode,
  Events,
  type NatsConnection,
  NatsError,
} from "nats";

/** Where and as whom to connect. */
export interface NatsAccess {
  readonly servers: readonly string[];
  /** Content of a credentials file. */
  readonly credentials: Uint8Array;
  /** PEM of the CA of the servers' certificates; absent where the system's list of CAs is meant. */
  readonly ca?: string;
  /** The same as a file, which is read again at every connection: it may change under way. */
  readonly caFile?: string;
  /** False for a server without TLS (tests, a loopback address). */
  readonly tls: boolean;
  /** Shown in the server's list of connections. */
  readonly name: string;
}

/** The oldest server that fences a publish by another subject's sequence. */
const oldest = [2, 11] as const;

/** A server that reads its settings anew refuses whom it knows for a moment: milliseconds to wait before each further try. */
const refusedWaits = [100, 400, 1_000] as const;

/** Connects, and keeps connecting for ever once it has been connected. Faults: `store-unavailable`, `nats-too-old`. */
export async function connectNats(access: NatsAccess, timeoutMs = 5_000): Promise<NatsConnection> {
  const options: ConnectionOptions = {
    servers: [...access.servers],
    authenticator: credsAuthenticator(access.credentials),
    name: access.name,
    timeout: timeoutMs,
    // The client's own defaults give up after 20 s and notice a frozen server after 6 min.
    maxReconnectAttempts: -1,
    // By default two refusals in a row end it, also those of a server that reads its settings anew.
    ignoreAuthErrorAbort: true,
    reconnectTimeWait: 250,
    reconnectJitter: 500,
    reconnectJitterTLS: 500,
    pingInterval: 10_000,
    maxPingOut: 2,
    noAsyncTraces: true,
    ...(access.tls ? { tls: tlsOptions(access) } : {}),
  };
  try {
    const connection = await connectPatiently(options);
    try {
      refuseOld(connection);
      links.set(connection, new Link(connection));
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

/** Whether a connection failed because nothing listens there, and not because somebody was slow or refused. */
export function nobodyListens(thrown: unknown): boolean {
  const cause = thrown instanceof Fault ? thrown.cause : thrown;
  return cause instanceof NatsError && cause.code === ErrorCode.ConnectionRefused;
}

async function connectPatiently(options: ConnectionOptions): Promise<NatsConnection> {
  for (const wait of refusedWaits) {
    try {
      return await connect(options);
    } catch (thrown) {
      if (!(thrown instanceof NatsError) || thrown.code !== ErrorCode.AuthorizationViolation) throw thrown;
      await systemClock.sleep(wait, new AbortController().signal);
    }
  }
  return connect(options);
}

/**
 * The client upgrades a socket that it opened itself and tells TLS no host for an address, which then is compared with
 * "localhost". So the certificate is compared here, with the hosts that were configured.
 */
function tlsOptions({ servers, ca, caFile }: NatsAccess): NonNullable<ConnectionOptions["tls"]> {
  const hosts = servers.map((server) => new URL(server.includes("://") ? server : `tls://${server}`).hostname);
  const check = {
    checkServerIdentity: (_host: string, certificate: PeerCertificate): Error | undefined => {
      const errors = hosts.map((host) => checkServerIdentity(host.replace(/^\[|\]$/g, ""), certificate));
      return errors.includes(undefined) ? undefined : errors[0];
    },
  };
  return { ...(ca === undefined ? {} : { ca }), ...(caFile === undefined ? {} : { caFile }), ...check };
}

/**
 * Whether a connection is up. Requests made while it is down would vanish in the client and time out; so they wait for it,
 * and those under way when it breaks fail at once.
 */
class Link {
  #up = true;
  readonly #changed = new Set<() => void>();

  constructor(connection: NatsConnection) {
    const follow = async () => {
      for await (const event of connection.status()) {
        if (event.type === Events.Disconnect) this.#set(false);
        if (event.type === Events.Reconnect) this.#set(true);
      }
    };
    follow().catch(() => undefined);
    connection.closed().then(
      () => this.#set(false),
      () => this.#set(false),
    );
  }

  get up(): boolean {
    return this.#up;
  }

  /** Calls back once, at the next change. Returns how to forget it. */
  onChange(call: () => void): () => void {
    this.#changed.add(call);
    return () => this.#changed.delete(call);
  }

  #set(up: boolean): void {
    this.#up = up;
    for (const call of [...this.#changed]) call();
    this.#changed.clear();
  }
}

const links = new WeakMap<NatsConnection, Link>();

/** Runs a request on a connection that is up, waiting for it at most `waitMs`. Fault: `store-unavailable`. */
export async function whileUp<T>(connection: NatsConnection, waitMs: number, work: () => Promise<T>): Promise<T> {
  const link = links.get(connection);
  if (link === undefined) return work();
  if (!link.up) await nextChange(link, waitMs);
  if (!link.up || connection.isClosed()) throw down();
  let forget: (() => void) | undefined;
  const broken = new Promise<never>((_, reject) => {
    forget = link.onChange(() => reject(down()));
  });
  try {
    return await Promise.race([work(), broken]);
  } finally {
    forget?.();
  }
}

/** Returns at the next change, or when the time is over. */
async function nextChange(link: Link, waitMs: number): Promise<void> {
  const changed = new AbortController();
  const forget = link.onChange(() => changed.abort());
  await systemClock.sleep(waitMs, changed.signal).catch(() => undefined);
  forget();
}

function down(): Fault {
  return new Fault("store-unavailable", {
    message: "expected a connection to NATS, found it broken.",
    next: "The hub connects again by itself; look whether the NATS server runs.",
  });
}

/** Whether the connected server is of this version or later. */
export function isAtLeast(connection: NatsConnection, major: number, minor: number): boolean {
  const [foundMajor = 0, foundMinor = 0] = (connection.info?.version ?? "0.0").split(".").map(Number);
  return foundMajor > major || (foundMajor === major && foundMinor >= minor);
}

function refuseOld(connection: NatsConnection): void {
  if (isAtLeast(connection, ...oldest)) return;
  throw new Fault("nats-too-old", {
    message: `expected a NATS server of version ${oldest.join(".")} or later, found ${connection.info?.version}.`,
    next: "Upgrade the server: older ones cannot refuse a stale leader's writes.",
  });
}

/** Runs the work, given up as soon as the signal aborts; what was under way may still take effect. */
export async function abortable<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let stop: (() => void) | undefined;
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}
