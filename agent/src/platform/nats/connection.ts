import { fromBinary } from "@bufbuild/protobuf";
import {
  backoffDelay,
  type Chance,
  type Clock,
  chunkRequestSubject,
  desiredRequestSubject,
  Fault,
  hintSubject,
  inboxPrefix,
} from "@capstan/proto";
import { SignedDesiredStateSchema } from "@capstan/proto/desired";
import { type ConnectionOptions, connect, Events, jwtAuthenticator, type Msg, type NatsConnection } from "nats";
import type { DesiredSource } from "../../desired/port.ts";
import type { Identity } from "../../identity/model.ts";
import type { HintSink } from "../../link/port.ts";
import { checkHub, parseEndpoint, pem } from "../grpc/channel.ts";

const requestPatience = 5_000;
const backoff = { base: 500, factor: 2, cap: 15_000 };
/** How soon it is looked again whether there is an identity by now. */
const identityLookMs = 250;

/** Hints and level-triggered reads over NATS. `run` keeps one connection; the reads fail with `hub-unreachable` without. */
export class NatsLink implements DesiredSource {
  readonly #identity: () => Identity | undefined;
  readonly #clock: Clock;
  readonly #chance: Chance;
  #connection: NatsConnection | undefined;
  /** False between the loss of a connection and its return: a request would only wait in a buffer. */
  #live = false;

  constructor(identity: () => Identity | undefined, clock: Clock, chance: Chance) {
    this.#identity = identity;
    this.#clock = clock;
    this.#chance = chance;
  }

  /** Whether reads may be tried. */
  get connected(): boolean {
    return this.#live;
  }

  /** Connects, again and again, until the signal aborts. A renewed credential is used from the next connection on. */
  async run(sink: HintSink, signal: AbortSignal): Promise<void> {
    let attempt = 0;
    while (!signal.aborted) {
      const identity = this.#identity();
      let wait = identityLookMs;
      if (identity !== undefined && identity.credential.natsUrls.length > 0) {
        try {
          await this.#session(identity, sink, signal);
          attempt = 0;
        } catch (thrown) {
          sink.disconnected(natsFault(thrown));
        }
        wait = backoffDelay(backoff, attempt++, this.#chance);
      }
      await this.#clock.sleep(wait, signal).catch(() => undefined);
    }
  }

  async read(signal: AbortSignal) {
    const message = await this.#request(desiredRequestSubject(this.#me().cluster), signal);
    if (message === undefined || message.headers?.get("KV-Operation")) return undefined;
    return fromBinary(SignedDesiredStateSchema, message.data);
  }

  async chunk(digest: Parameters<DesiredSource["chunk"]>[0], n: number, signal: AbortSignal): Promise<Uint8Array> {
    const message = await this.#request(chunkRequestSubject(digest, n), signal);
    if (message !== undefined) return message.data;
    throw new Fault("not-found", { message: `chunk ${n} of bundle ${digest} is not stored.` });
  }

  #me(): Identity {
    const identity = this.#identity();
    if (identity === undefined) throw new Fault("hub-unreachable", { message: "there is no identity yet." });
    return identity;
  }

  async #session(identity: Identity, sink: HintSink, signal: AbortSignal): Promise<void> {
    const connection = await connect(optionsOf(identity, () => this.#me()));
    const close = () => void connection.close();
    signal.addEventListener("abort", close, { once: true });
    this.#connection = connection;
    try {
      connection.subscribe(hintSubject(identity.cluster), {
        callback: (error, message) => {
          const text = error === null ? message.string() : "";
          if (/^[0-9]{1,20}$/.test(text)) sink.hint(BigInt(text));
        },
      });
      this.#live = true;
      sink.connected();
      void this.#follow(connection, identity, sink);
      const error = await connection.closed();
      if (error) throw error;
    } finally {
      signal.removeEventListener("abort", close);
      this.#connection = undefined;
      this.#live = false;
    }
  }

  async #follow(connection: NatsConnection, identity: Identity, sink: HintSink): Promise<void> {
    for await (const status of connection.status()) {
      if (status.type === Events.Reconnect) {
        this.#live = true;
        sink.connected();
      }
      if (status.type !== Events.Disconnect) continue;
      this.#live = false;
      sink.disconnected(new Fault("hub-unreachable", { message: "the connection to NATS was lost." }));
      // New servers came with a new credential: leave the old ones.
      if (this.#identity()?.credential.natsUrls.join() !== identity.credential.natsUrls.join()) void connection.close();
    }
  }

  async #request(subject: string, signal: AbortSignal): Promise<Msg | undefined> {
    signal.throwIfAborted();
    if (!this.#live || this.#connection === undefined)
      throw new Fault("hub-unreachable", { message: "NATS is not connected." });
    const message = await this.#connection.request(subject, undefined, { timeout: requestPatience }).catch((thrown) => {
      throw natsFault(thrown);
    });
    const code = message.headers?.code ?? 0;
    if (code === 404) return undefined;
    if (code >= 400)
      throw new Fault("hub-unreachable", { message: `NATS answered ${code} ${message.headers?.description}.` });
    return message;
  }
}

function optionsOf(identity: Identity, latest: () => Identity): ConnectionOptions {
  const { natsUrls, ca } = identity.credential;
  const tls = natsUrls.some((url) => url.startsWith("tls://"))
    ? {
        ca: ca.map((der) => pem("CERTIFICATE", der)).join(""),
        checkServerIdentity: (host: string, certificate: Parameters<typeof checkHub>[1]) =>
          checkHub(host || parseEndpoint(natsUrls[0] ?? "").host, certificate),
      }
    : undefined;
  return {
    servers: [...natsUrls],
    authenticator: (nonce) => {
      const { natsJwt, keys } = latest().credential;
      return jwtAuthenticator(natsJwt, new TextEncoder().encode(keys.nats))(nonce);
    },
    inboxPrefix: inboxPrefix(identity.cluster),
    ignoreAuthErrorAbort: true,
    maxReconnectAttempts: -1,
    reconnectTimeWait: 500,
    reconnectJitter: 2_000,
    reconnectJitterTLS: 2_000,
    pingInterval: 10_000,
    maxPingOut: 2,
    name: `capstan-agent ${identity.cluster}`,
    ...(tls === undefined ? {} : { tls }),
  };
}

/** What the NATS client threw, as a fault. */
function natsFault(thrown: unknown): Fault {
  if (thrown instanceof Fault) return thrown;
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new Fault("hub-unreachable", { message: `NATS: ${message}`, cause: thrown });
}
