import { createHash, randomBytes } from "node:crypto";
import { mkdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { type Backoff, backoffDelay, type Chance, type Clock, Fault } from "@capstan/proto";
import type { NatsUsers, RevokedNatsKey } from "../../identity/port.ts";
import { diskFault, readFileIfThere, writeFileAtomic } from "../disk/files.ts";
import { type AccountKeys, encodeAccounts, encodeAgents, ownCredentials } from "./accounts.ts";
import { connectNats, type NatsAccess, nobodyListens } from "./connection.ts";
import { hasRoomAgain, roomOn, storeLimit } from "./disk-room.ts";
import { loadAccountKeys } from "./keys.ts";
import { pushClaims } from "./push-claims.ts";
import { serverConfigText } from "./server-config.ts";
import { endServer, leftServer, type ServerProcess, signalServer, spawnServer, startFault } from "./server-process.ts";
import { natsUsers } from "./users.ts";

/** What the embedded server is started with. */
export interface EmbeddedOptions {
  readonly binary: string;
  /** The server's own folder inside the hub's data folder; absolute. */
  readonly folder: string;
  readonly host: string;
  readonly port: number;
  /** The address by which the hub itself reaches the server; it must stand in the certificate. */
  readonly localHost: string;
  /** What agents are told, for example `tls://hub.example.com:4222`. */
  readonly urls: readonly string[];
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Told of every end of the server and of every failed start. */
  onFault(fault: Fault): void;
}

/** What `server.json` remembers of the last start. */
interface Started {
  readonly name: string;
  /** Over all that a running server cannot change any more. */
  readonly settings: string;
  /** Digest of the certificate that it has read last; empty without TLS. */
  readonly certificate: string;
}

/** Who answers on the server's port: a server's name, nobody, or somebody who says nothing in time. */
type Answer = { readonly name: string } | "nobody" | "silence";

const restart: Backoff = { base: 250, factor: 2, cap: 10_000 };
const readyWithin = 20_000;
const watchEvery = 250;
/** Looks between two looks at the disk. */
const roomEvery = 8;

/**
 * The nats-server child of a single hub, in operator mode. It outlives the hub's sudden death and is taken over by the
 * next life; it is started anew when it dies, and ended when the hub ends in order.
 */
export class EmbeddedNats {
  readonly #options: EmbeddedOptions;
  readonly #keys: AccountKeys;
  #server: ServerProcess | undefined;
  /** Bytes that the running server may store; 0 for one that was taken over, whose limit is not known. */
  #limit = 0;
  /** Whether the disk was full since the server's start. */
  #full = false;
  #revoked: readonly RevokedNatsKey[];

  private constructor(options: EmbeddedOptions, keys: AccountKeys, revoked: readonly RevokedNatsKey[]) {
    this.#options = options;
    this.#keys = keys;
    this.#revoked = revoked;
  }

  /**
   * Finds the server of an earlier life or starts one; ready when this returns. Faults: `port-in-use`, `store-full`,
   * `tool-missing`, `store-unavailable`.
   */
  static async start(options: EmbeddedOptions, signal: AbortSignal): Promise<EmbeddedNats> {
    await mkdir(join(options.folder, "jwt"), { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
      throw diskFault(thrown, options.folder);
    });
    const keys = await loadAccountKeys(join(options.folder, "keys"));
    const embedded = new EmbeddedNats(options, keys, await readRevoked(options.folder));
    embedded.#server = await embedded.#adopt(signal);
    try {
      if (embedded.#server === undefined) await embedded.#spawn(signal);
      // The certificate may have been made anew while no hub ran. A reload refuses everybody for a moment: only then.
      else if (await embedded.#certificateChanged()) await embedded.reload();
    } catch (thrown) {
      await embedded.abandon();
      throw thrown;
    }
    return embedded;
  }

  /** The running server's process, and whether an earlier life of the hub had started it. */
  get process(): ServerProcess | undefined {
    return this.#server;
  }

  /** How the hub connects: to account HUB, or as administrator to SYS. */
  async access(account: "hub" | "system"): Promise<NatsAccess> {
    const { tls, localHost, port } = this.#options;
    const keys = this.#keys;
    const credentials =
      account === "hub"
        ? await ownCredentials("hub", keys.hubUser, keys.hub)
        : await ownCredentials("hub-admin", keys.systemUser, keys.system);
    const servers = [`${localHost}:${port}`];
    return {
      servers,
      credentials,
      tls: tls !== undefined,
      name: "capstan-hub",
      ...(tls === undefined ? {} : { caFile: tls.ca }),
    };
  }

  /** Users for agents, and their revocation. */
  users(): NatsUsers {
    return natsUsers({
      signer: this.#keys.agents,
      account: this.#keys.agents.getPublicKey(),
      urls: this.#options.urls,
      now: () => this.#options.clock.now(),
      maxLife: undefined,
      push: (revoked, signal) => this.#push(revoked, signal),
    });
  }

  /** Starts the server again whenever it ends, with backoff; returns when the signal aborts. Does not end the server. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance, onFault } = this.#options;
    let attempt = 0;
    let startedAt = clock.monotonic();
    for (let looks = 1; !signal.aborted; looks++) {
      try {
        await clock.sleep(watchEvery, signal);
        if (looks % roomEvery === 0) await this.#makeRoom();
        if (this.#server?.alive() === true) continue;
        onFault(new Fault("store-unavailable", { message: "expected nats-server to run, found it ended." }));
        if (clock.monotonic() - startedAt > 60_000) attempt = 0;
        await clock.sleep(backoffDelay(restart, attempt++, chance), signal);
        await this.#spawn(signal);
        startedAt = clock.monotonic();
      } catch (thrown) {
        if (!signal.aborted) onFault(Fault.from(thrown));
      }
    }
  }

  /** Makes the server read its certificate again. */
  async reload(): Promise<void> {
    if (this.#server === undefined) return;
    signalServer(this.#server, "SIGHUP");
    const started = await readStarted(this.#options.folder);
    if (started !== undefined) await this.#remember(started.name);
  }

  /** Ends the server in order, at the hub's own orderly end. Call after `run` has returned. */
  async stop(): Promise<void> {
    if (this.#server !== undefined) await endServer(this.#server, this.#options.clock);
    this.#server = undefined;
  }

  /** Ends the server after a start that failed; one that was taken over may serve another hub, and goes on. */
  async abandon(): Promise<void> {
    if (this.#server?.adopted === false) await this.stop();
  }

  async #adopt(signal: AbortSignal): Promise<ServerProcess | undefined> {
    const { folder, clock } = this.#options;
    const started = await readStarted(folder);
    if (started === undefined) return undefined;
    const server = await leftServer(folder);
    // Only the server that was started with this file answers to this name; so its pid file is its own as well.
    if (server === undefined || !(await this.#answers(server, started.name, signal))) return undefined;
    if (started.settings === (await this.#settings())) return server;
    await endServer(server, clock);
    return undefined;
  }

  /** Whether the process on our port bears the name. One that is busy (a slow disk) is waited for. */
  async #answers(server: ServerProcess, name: string, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options;
    const deadline = clock.monotonic() + readyWithin;
    while (server.alive() && clock.monotonic() < deadline) {
      const answer = await this.#onPort();
      if (answer !== "silence") return answer !== "nobody" && answer.name === name;
      await clock.sleep(50, signal);
    }
    return false;
  }

  async #onPort(): Promise<Answer> {
    try {
      const connection = await connectNats(await this.access("hub"), 2_000);
      const name = connection.info?.server_name ?? "";
      await connection.close();
      return { name };
    } catch (thrown) {
      return nobodyListens(thrown) ? "nobody" : "silence";
    }
  }

  async #certificateChanged(): Promise<boolean> {
    const started = await readStarted(this.#options.folder);
    return started?.certificate !== (await this.#certificate());
  }

  async #certificate(): Promise<string> {
    const { tls } = this.#options;
    const pem = tls === undefined ? undefined : await readFileIfThere(tls.cert);
    return pem === undefined ? "" : createHash("sha256").update(pem).digest("hex");
  }

  async #remember(name: string): Promise<void> {
    const started: Started = { name, settings: await this.#settings(), certificate: await this.#certificate() };
    await writeFileAtomic(join(this.#options.folder, "server.json"), JSON.stringify(started));
  }

  async #spawn(signal: AbortSignal): Promise<void> {
    const { folder, binary } = this.#options;
    const name = `capstan-${randomBytes(8).toString("hex")}`;
    await this.#writeConfig(name);
    const server = await spawnServer(binary, folder);
    this.#server = server;
    await this.#remember(name);
    await this.#ready(server, name, signal);
  }

  async #ready(server: ServerProcess, name: string, signal: AbortSignal): Promise<void> {
    const { clock, folder, host, port } = this.#options;
    const deadline = clock.monotonic() + readyWithin;
    while (server.alive() && clock.monotonic() < deadline) {
      const answer = await this.#onPort();
      if (typeof answer === "object" && answer.name === name) return;
      await clock.sleep(50, signal);
    }
    const fault = await startFault(folder, `${host}:${port}`);
    if (server.alive()) await endServer(server, clock);
    throw fault;
  }

  /** A server that met a full disk stays refusing until it is started anew; so it is, once there is room. */
  async #makeRoom(): Promise<void> {
    const { folder, clock, onFault } = this.#options;
    const room = await roomOn(folder);
    // On a full disk the server may fall silent, and can write nothing to its own log: so it is told from here.
    if (room === "full" && !this.#full) onFault(diskFull(folder));
    this.#full ||= room === "full";
    const again = (this.#full && room === "room") || (await hasRoomAgain(folder, this.#limit));
    if (!again || this.#server?.alive() !== true) return;
    this.#full = false;
    await endServer(this.#server, clock);
  }

  async #writeConfig(name: string): Promise<void> {
    const { folder, host, port, tls } = this.#options;
    this.#limit = await storeLimit(folder);
    const jwts = await encodeAccounts(this.#keys, this.#revoked);
    for (const { key, jwt } of jwts.accounts) await writeFileAtomic(join(folder, "jwt", `${key}.jwt`), jwt);
    const systemAccount = this.#keys.system.getPublicKey();
    const text = serverConfigText({ name, host, port, tls, folder, maxStore: this.#limit, jwts, systemAccount });
    await writeFileAtomic(join(folder, "server.conf"), text);
  }

  async #push(revoked: readonly RevokedNatsKey[], signal: AbortSignal): Promise<void> {
    this.#revoked = revoked;
    // First the file: a server that dies before it hears of it comes back with the list.
    await writeFileAtomic(join(this.#options.folder, "revoked.json"), JSON.stringify(revoked));
    await pushClaims(await this.access("system"), await encodeAgents(this.#keys, revoked), signal);
  }

  /** What a running server cannot change, and which program it is: on a difference it is started anew. */
  async #settings(): Promise<string> {
    const { binary, host, port, tls, folder } = this.#options;
    const none = { name: "", maxStore: 0, jwts: { operator: "", accounts: [] }, systemAccount: "" };
    const program = await stat(binary).catch(() => undefined);
    const keys = [this.#keys.operator, this.#keys.system, this.#keys.hub, this.#keys.agents];
    const all = [
      serverConfigText({ ...none, host, port, tls, folder }),
      ...[binary, program?.size, program?.mtimeMs],
      ...keys.map((key) => key.getPublicKey()),
    ];
    return createHash("sha256").update(JSON.stringify(all)).digest("hex");
  }
}

function diskFull(folder: string): Fault {
  return new Fault("store-full", {
    message: "expected room on the disk for NATS, found it full.",
    where: { file: folder },
    next: "Free space on the volume or enlarge it; the hub goes on by itself.",
  });
}

async function readStarted(folder: string): Promise<Started | undefined> {
  const bytes = await readFileIfThere(join(folder, "server.json"));
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as Started);
}

async function readRevoked(folder: string): Promise<RevokedNatsKey[]> {
  const bytes = await readFileIfThere(join(folder, "revoked.json"));
  return bytes === undefined ? [] : (JSON.parse(new TextDecoder().decode(bytes)) as RevokedNatsKey[]);
}
