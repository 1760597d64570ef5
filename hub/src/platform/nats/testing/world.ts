import { globSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { type Fault, parseClusterId, systemChance, systemClock } from "@capstan/proto";
import { generous } from "@capstan/proto/testing";
import { fmtCreds } from "@nats-io/jwt";
import { createUser } from "@nats-io/nkeys";
import { type ConnectionOptions, connect, credsAuthenticator, type NatsConnection } from "nats";
import type { Fence } from "../../../store/port.ts";
import { connectNats } from "../connection.ts";
import { EmbeddedNats, type EmbeddedOptions } from "../embedded.ts";
import { type NatsStores, openNatsStores } from "../stores.ts";
import { defaultKeepFor } from "../streams.ts";

/** The real binary, by CAPSTAN_NATS_SERVER or from the tools' cache. */
export function natsServerBinary(): string {
  const given = process.env["CAPSTAN_NATS_SERVER"];
  const cache = process.env["CAPSTAN_CACHE"] ?? join(homedir(), ".cache", "capstan");
  const found = given ?? globSync(join(cache, "servers", "*", "nats-server"))[0];
  if (found === undefined) throw new Error("no nats-server: set CAPSTAN_NATS_SERVER");
  return found;
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Polls until the level is reached; fails after the bound, times CAPSTAN_PATIENCE. */
export async function reached(what: string, level: () => boolean | Promise<boolean>, limit = 10_000): Promise<void> {
  const boundMs = generous(limit);
  const end = performance.now() + boundMs;
  const never = new AbortController().signal;
  while (!(await level())) {
    if (performance.now() > end) throw new Error(`not reached within ${boundMs} ms: ${what}`);
    await systemClock.sleep(20, never);
  }
}

/** A fence that tests move by hand. */
export class HandFence implements Fence {
  readonly shard = "0";
  sequence: bigint | undefined;
  /** What `settled` answers, where it differs. */
  next: bigint | undefined;

  current(): bigint | undefined {
    return this.sequence;
  }

  async settled(): Promise<bigint | undefined> {
    this.sequence = this.next ?? this.sequence;
    return this.sequence;
  }
}

/** An agent's connection, its user key, and the credentials it came with. */
export interface TestAgent {
  readonly connection: NatsConnection;
  readonly key: string;
  readonly credentials: Uint8Array;
}

/** One embedded server in a folder of its own, and what a test needs around it. */
export class NatsWorld {
  readonly folder = mkdtempSync(join(tmpdir(), "capstan-nats-"));
  readonly faults: Fault[] = [];
  readonly stopping = new AbortController();
  readonly #connections: NatsConnection[] = [];
  readonly #running: Promise<void>[] = [];
  options!: EmbeddedOptions;
  nats!: EmbeddedNats;

  static async start(more: Partial<EmbeddedOptions> = {}): Promise<NatsWorld> {
    const world = new NatsWorld();
    const port = await freePort();
    world.options = {
      binary: natsServerBinary(),
      folder: join(world.folder, "nats"),
      host: "127.0.0.1",
      localHost: "127.0.0.1",
      port,
      urls: [`nats://127.0.0.1:${port}`],
      tls: undefined,
      clock: systemClock,
      chance: systemChance,
      onFault: (fault) => world.faults.push(fault),
      ...more,
    };
    world.nats = await EmbeddedNats.start(world.options, world.signal);
    return world;
  }

  get signal(): AbortSignal {
    return this.stopping.signal;
  }

  /** Restarts the server whenever it ends, as the hub does. */
  supervise(): void {
    this.#running.push(this.nats.run(this.signal));
  }

  async connectHub(): Promise<NatsConnection> {
    return this.keep(await connectNats(await this.nats.access("hub")));
  }

  /** Stores over a connection of their own, with a lease that a test's fence holds. */
  async stores(fence: HandFence = new HandFence(), memoryFile = join(this.folder, "memory.json")): Promise<NatsStores> {
    const connection = await this.connectHub();
    const stores = await openNatsStores(this.storeOptions(connection, fence, memoryFile), this.signal);
    this.#running.push(stores.run(this.signal));
    return stores;
  }

  /** What stores of one copy over the connection are opened with. */
  storeOptions(connection: NatsConnection, fence: Fence, memoryFile = join(this.folder, "memory.json")) {
    const onFault = (fault: Fault) => this.faults.push(fault);
    return { connection, fence, memoryFile, clock: systemClock, replicas: 1, keepFor: defaultKeepFor, onFault };
  }

  /** An agent's connection with the strict grant for a cluster. */
  async agent(cluster: string, more: Partial<ConnectionOptions> = {}): Promise<TestAgent> {
    const user = createUser();
    const natsKey = user.getPublicKey();
    const expiresAt = Date.now() + 3_600_000;
    const jwt = await this.nats.users().issue({ cluster: parseClusterId(cluster), natsKey, expiresAt });
    const credentials = fmtCreds(jwt, user);
    return { key: natsKey, credentials, connection: await this.agentAs(cluster, credentials, more) };
  }

  /** A connection with credentials that were issued before. */
  async agentAs(
    cluster: string,
    credentials: Uint8Array,
    more: Partial<ConnectionOptions> = {},
  ): Promise<NatsConnection> {
    const connection = await connect({
      servers: `127.0.0.1:${this.options.port}`,
      authenticator: credsAuthenticator(credentials),
      inboxPrefix: `_INBOX_${cluster}`,
      reconnectTimeWait: 100,
      maxReconnectAttempts: 5,
      ...more,
    });
    return this.keep(connection);
  }

  keep(connection: NatsConnection): NatsConnection {
    this.#connections.push(connection);
    return connection;
  }

  async end(): Promise<void> {
    this.stopping.abort();
    for (const connection of this.#connections) await connection.close().catch(() => undefined);
    await Promise.allSettled(this.#running);
    await this.nats.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Takes the lease by hand and lets the fence hold it. */
export async function takeLease(stores: NatsStores, fence: HandFence, who = "hub-a"): Promise<bigint> {
  const signal = new AbortController().signal;
  const before = await stores.lease.read("0", signal);
  const sequence = await stores.lease.write("0", new TextEncoder().encode(who), before?.sequence ?? 0n, signal);
  if (sequence === undefined) throw new Error("the lease moved in between");
  fence.sequence = sequence;
  fence.next = undefined;
  return sequence;
}
