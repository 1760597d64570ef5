import { join, resolve } from "node:path";
import type { Chance, Clock, Fault } from "@capstan/proto";
import type { NatsConnection } from "nats";
import type { HubConfig } from "../../config/compile.ts";
import type { NatsUsers } from "../../identity/port.ts";
import type { Fence } from "../../store/port.ts";
import { readFileIfThere } from "../disk/files.ts";
import { connectNats } from "../nats/connection.ts";
import { EmbeddedNats } from "../nats/embedded.ts";
import { openExternal } from "../nats/external.ts";
import { memoryFileName } from "../nats/memory.ts";
import { type NatsStores, openNatsStores } from "../nats/stores.ts";
import { defaultKeepFor } from "../nats/streams.ts";
import { findOnPath } from "../render/find.ts";

/** What NATS gives the hub, whoever runs it. */
export interface OpenStore {
  readonly stores: NatsStores;
  readonly users: NatsUsers;
  readonly natsVersion: string;
  readonly connected: () => boolean;
  /** Sentences that a person should read. */
  readonly warnings: readonly string[];
  /** Looks after server and streams until the signal aborts. */
  run(signal: AbortSignal): Promise<void>;
  /** The hub's certificate was made anew: an embedded server reads it again. */
  reload(): Promise<void>;
  close(): Promise<void>;
  /** `close` after a start that failed: a server that was found, not started, is left to whoever uses it. */
  abandon(): Promise<void>;
}

/** What opening it needs. */
export interface StoreOptions {
  readonly config: HubConfig;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The hub's `PATH`. */
  readonly path: string;
  /** The hub's own certificate, for the embedded server. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string };
  /** The fence of every write: the lease, once this hub holds it. */
  readonly fence: Fence;
  onFault(fault: Fault): void;
}

/** Starts or finds NATS and opens the stores. Faults: those of `EmbeddedNats.start` and `openExternal`. */
export async function openStore(options: StoreOptions, signal: AbortSignal): Promise<OpenStore> {
  return options.config.nats.mode === "embedded" ? openEmbedded(options, signal) : openOutside(options, signal);
}

async function openEmbedded(options: StoreOptions, signal: AbortSignal): Promise<OpenStore> {
  const { config, clock, chance, path, tls, onFault } = options;
  const { nats, listen } = config;
  if (nats.mode !== "embedded") throw new Error("unreachable: the mode was looked at");
  const binary = nats.binary === "" ? ((await findOnPath("nats-server", path)) ?? "nats-server") : nats.binary;
  const name = listen.names[0] ?? listen.address;
  const embedded = await EmbeddedNats.start(
    {
      binary,
      folder: resolve(config.data, "nats"),
      host: listen.address,
      port: nats.port,
      localHost: listen.address === "0.0.0.0" ? "127.0.0.1" : listen.address,
      urls: nats.urls.length > 0 ? nats.urls : [`tls://${name}:${nats.port}`],
      tls,
      clock,
      chance,
      onFault,
    },
    signal,
  );
  await using failing = new AsyncDisposableStack();
  failing.defer(() => embedded.abandon());
  const connection = await connectNats(await embedded.access("hub"));
  failing.defer(() => connection.close());
  const stores = await storesOver(connection, 1, options, signal);
  const abandoning = failing.move();
  return {
    ...shared(connection, stores),
    users: embedded.users(),
    warnings: [],
    run: async (stop) => {
      await Promise.all([embedded.run(stop), stores.run(stop)]);
    },
    reload: () => embedded.reload(),
    close: async () => {
      await connection.close();
      await embedded.stop();
    },
    abandon: () => abandoning.disposeAsync(),
  };
}

async function openOutside(options: StoreOptions, signal: AbortSignal): Promise<OpenStore> {
  const { config, clock } = options;
  const { nats } = config;
  if (nats.mode !== "external") throw new Error("unreachable: the mode was looked at");
  const read = async (file: string) => (file === "" ? undefined : await readFileIfThere(file));
  const text = async (file: string) => {
    const bytes = await read(file);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes).trim();
  };
  const ca = await text(nats.ca);
  const systemCredentials = await read(nats.systemCredentials);
  const operatorSeed = await text(nats.operatorSigningKey);
  const external = await openExternal(
    {
      servers: nats.servers,
      tls: ca !== undefined || nats.servers.some((server) => server.startsWith("tls://")),
      hubCredentials: (await read(nats.credentials)) ?? new Uint8Array(),
      agents: { account: nats.agentsAccount, signingSeed: (await text(nats.agentsSigningKey)) ?? "" },
      urls: nats.urls.length > 0 ? nats.urls : nats.servers,
      now: () => clock.now(),
      ...(ca === undefined ? {} : { ca }),
      ...(systemCredentials === undefined ? {} : { systemCredentials }),
      ...(operatorSeed === undefined ? {} : { operatorSeed }),
    },
    signal,
  );
  const { connection, users, warnings } = external;
  await using failing = new AsyncDisposableStack();
  failing.defer(() => connection.close());
  const stores = await storesOver(connection, nats.replicas, options, signal);
  failing.move();
  return {
    ...shared(connection, stores),
    users,
    warnings,
    run: (stop) => stores.run(stop),
    reload: async () => undefined,
    close: () => connection.close(),
    abandon: () => connection.close(),
  };
}

function storesOver(connection: NatsConnection, replicas: number, options: StoreOptions, signal: AbortSignal) {
  const { config, clock, fence, onFault } = options;
  const memoryFile = join(resolve(config.data), memoryFileName);
  return openNatsStores({ connection, replicas, keepFor: defaultKeepFor, fence, clock, memoryFile, onFault }, signal);
}

function shared(connection: NatsConnection, stores: NatsStores) {
  return {
    stores,
    natsVersion: connection.info?.version ?? "",
    connected: () => !connection.isClosed(),
  };
}
