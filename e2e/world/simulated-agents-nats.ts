import { fromBinary } from "@bufbuild/protobuf";
import {
  chunkRequestSubject,
  desiredRequestSubject,
  hintSubject,
  inboxPrefix,
  joinChunks,
  parseClusterId,
  parseDigest,
} from "@capstan/proto";
import { type BundleRef, type SignedDesiredState, SignedDesiredStateSchema } from "@capstan/proto/desired";
import { connect, Events, jwtAuthenticator, type NatsConnection } from "nats";
import { type AgentIdentity, type AgentKeys, openBundle, pem } from "./simulated-agents-keys.ts";

/** What a reader works for. */
export interface ReaderInit {
  readonly cluster: string;
  readonly identity: AgentIdentity;
  take(signed: SignedDesiredState): Promise<void>;
  fault(fault: Error): void;
}

const requestPatience = 10_000;
const pollMs = 60_000;

/** An agent's own NATS connection: a hint, a reconnect or a poll makes it ask for the state of now. */
export class NatsReader {
  readonly #init: ReaderInit;
  #connection: NatsConnection | undefined;
  #stopped = false;
  #asking = false;
  #again = false;
  #poll: NodeJS.Timeout | undefined;

  constructor(init: ReaderInit) {
    this.#init = init;
  }

  start(): void {
    this.#run().catch((error: unknown) => this.#fault(error));
  }

  /** There may be something new. */
  wake(): void {
    this.#again = true;
    if (this.#asking || this.#connection === undefined) return;
    this.#ask().catch((error: unknown) => this.#fault(error));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#poll);
    await this.#connection?.close();
  }

  /** Gets a bundle, and where keys are given opens it with the key that is sealed to this agent. */
  async bundle(ref: BundleRef, keys: AgentKeys | undefined): Promise<void> {
    const digest = parseDigest(ref.digest);
    const chunks: Uint8Array[] = [];
    for (let n = 0; n < ref.chunks; n += 1) chunks.push(await this.#get(chunkRequestSubject(digest, n)));
    if (keys !== undefined) openBundle(ref, joinChunks(chunks), keys);
  }

  async #run(): Promise<void> {
    const { cluster, identity } = this.#init;
    const { natsUrls, natsJwt, ca } = identity.credential;
    const id = parseClusterId(cluster);
    const authorities = ca.map((der) => pem("CERTIFICATE", der)).join("");
    const secure = natsUrls.some((url) => url.startsWith("tls://"));
    // The client loses the host's name at a reconnect; whoever stands under the hub's own CA is good.
    const tls = secure ? { ca: authorities, checkServerIdentity: () => undefined } : undefined;
    const connection = await connect({
      servers: [...natsUrls],
      authenticator: jwtAuthenticator(natsJwt, identity.keys.nats),
      inboxPrefix: inboxPrefix(id),
      ignoreAuthErrorAbort: true,
      waitOnFirstConnect: true,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 500,
      reconnectJitter: 2_000,
      reconnectJitterTLS: 2_000,
      pingInterval: 10_000,
      maxPingOut: 2,
      ...(tls === undefined ? {} : { tls }),
    });
    if (this.#stopped) return connection.close();
    this.#connection = connection;
    connection.subscribe(hintSubject(id), { callback: () => this.wake() });
    this.wake();
    this.#pollLater();
    for await (const status of connection.status()) if (status.type === Events.Reconnect) this.wake();
  }

  #pollLater(): void {
    this.#poll = setTimeout(
      () => {
        this.wake();
        this.#pollLater();
      },
      pollMs * (0.5 + Math.random()),
    );
  }

  async #ask(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#again && !this.#stopped) {
        this.#again = false;
        const data = await this.#get(desiredRequestSubject(parseClusterId(this.#init.cluster))).catch(silence);
        if (data !== undefined) await this.#init.take(fromBinary(SignedDesiredStateSchema, data));
      }
    } finally {
      this.#asking = false;
    }
  }

  async #get(subject: string): Promise<Uint8Array> {
    const message = await this.#connection?.request(subject, undefined, { timeout: requestPatience });
    const code = message?.headers?.code ?? 0;
    if (message === undefined || code >= 400) throw new Missing(`${subject}: NATS answered ${code}`);
    return message.data;
  }

  #fault(error: unknown): void {
    if (!this.#stopped) this.#init.fault(error instanceof Error ? error : new Error(String(error)));
  }
}

/** Not stored. */
class Missing extends Error {}

/** No state yet, or a read that was lost: a hint, a poll or the next session makes up for it. */
function silence(error: unknown): undefined {
  if (error instanceof Missing || (error instanceof Error && error.name === "NatsError")) return undefined;
  throw error;
}
