import { existsSync } from "node:fs";
import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { needTool, type Tools } from "../toolchain/tools.ts";
import { adminCredential, HubClient } from "./hub-client.ts";
import { freePorts } from "./ports.ts";
import { Child, endProcessesNaming, processesNaming, type RunResult, run, type Usage, usageOf } from "./process.ts";
import { type Command, capstan, productEnv } from "./programs.ts";
import { TcpProxy } from "./proxy.ts";
import { TempDir } from "./temp.ts";
import { notYet, until } from "./wait.ts";

/** A part of the hub's config file, laid over what the world writes. */
export type HubConfigPart = { readonly [key: string]: unknown };

/** A hub to start. */
export interface HubInit {
  readonly tools: Tools;
  /** Its id; two hubs of one fleet need two. */
  readonly id?: string;
  readonly config?: HubConfigPart;
  readonly webhookSecret?: string;
  readonly command?: Command;
  /** Its data folder, where that is to lie elsewhere, as on a small disk; in a directory of its own by default. */
  readonly dataDir?: string;
  /** Milliseconds until it must be ready. */
  readonly bound?: number;
  /** A standby of this hub: it gets a copy of its keys, and starting it waits until it listens, not until it leads. */
  readonly standbyOf?: HubProcess;
}

/**
 * A hub process with its data in a directory of its own, on fixed free ports. Agents reach gRPC and the embedded NATS
 * through `links`, so that both can be cut for all of them; the CLI goes straight.
 */
export class HubProcess implements AsyncDisposable {
  readonly ports: { readonly grpc: number; readonly http: number; readonly nats: number };
  readonly links: { readonly grpc: TcpProxy; readonly nats: TcpProxy };
  readonly #init: HubInit;
  readonly #dir: TempDir;
  readonly #command: Command;
  #config: HubConfigPart;
  #child: Child | undefined;
  #client: HubClient | undefined;
  #copies = 0;
  #env: Readonly<Record<string, string>> = {};

  private constructor(init: HubInit, dir: TempDir, wires: Pick<HubProcess, "ports" | "links">) {
    this.#init = init;
    this.#dir = dir;
    this.#command = init.command ?? capstan();
    this.ports = wires.ports;
    this.links = wires.links;
    this.#config = init.config ?? {};
  }

  static async start(init: HubInit): Promise<HubProcess> {
    const dir = await TempDir.make(init.id ?? "hub");
    const [grpc = 0, http = 0, nats = 0] = await freePorts(3);
    const proxy = (port: number) => TcpProxy.start({ host: "127.0.0.1", port });
    const links = { grpc: await proxy(grpc), nats: await proxy(nats) };
    const self = new HubProcess(init, dir, { ports: { grpc, http, nats }, links });
    try {
      if (init.standbyOf !== undefined) {
        await cp(join(init.standbyOf.dataDir, "keys"), join(self.dataDir, "keys"), { recursive: true });
      }
      await self.restart();
      return self;
    } catch (error) {
      await self[Symbol.asyncDispose]();
      throw error;
    }
  }

  get child(): Child | undefined {
    return this.#child;
  }

  /** Its data folder: keys, mirrors, and NATS' files where NATS is embedded. */
  get dataDir(): string {
    return this.#init.dataDir ?? this.#dir.at("data");
  }

  get httpUrl(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  /** `host:port` of gRPC, without a proxy in between. */
  get endpoint(): string {
    return `127.0.0.1:${this.ports.grpc}`;
  }

  /** Changes the config; it counts from the next restart. */
  configure(part: HubConfigPart): void {
    this.#config = merged(this.#config, part);
  }

  /** Changes the variables of the hub and its NATS; they count from the next restart. */
  setEnv(env: Readonly<Record<string, string>>): void {
    this.#env = env;
  }

  /** Starts it if it does not run, and waits until it says that it is ready. */
  async restart(): Promise<void> {
    if (this.#child?.running === true) return;
    const file = this.#dir.at("hub.json");
    await writeFile(file, JSON.stringify(this.#whole(), null, 2));
    if (this.#init.webhookSecret !== undefined) {
      await writeFile(this.#secretFile(), this.#init.webhookSecret, { mode: 0o600 });
    }
    this.#child = await Child.start({
      name: this.#init.id ?? "hub",
      binary: this.#command.binary,
      args: [...this.#command.args, "hub", "serve", "--config", file],
      env: { ...productEnv(this.#dir.path), ...this.#env },
      cwd: this.#dir.path,
      logFile: this.#dir.at("hub.log"),
    });
    const up = this.#init.standbyOf === undefined ? () => this.isReady() : () => this.#isUp();
    await this.#child.ready("it is up", up, this.#init.bound ?? 30_000);
  }

  /** Whether it answers 200 on /readyz; a standby does not. */
  async isReady(): Promise<boolean> {
    const response = await fetch(`${this.httpUrl}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status === 200;
  }

  async #isUp(): Promise<boolean> {
    const response = await fetch(`${this.httpUrl}/healthz`, { signal: AbortSignal.timeout(2_000) });
    await response.arrayBuffer();
    return response.status === 200;
  }

  /** SIGKILL; an embedded NATS stays and is adopted by the next start. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** SIGTERM, and all that belongs to it ends. */
  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  pause(): void {
    this.#child?.pause();
  }

  resume(): void {
    this.#child?.resume();
  }

  /** Process id of the embedded nats-server; undefined where none runs. */
  embeddedNats(): number | undefined {
    return processesNaming(this.dataDir).find((pid) => pid !== this.#child?.pid);
  }

  /** SIGKILL to the embedded nats-server, and waits for its end. */
  async killEmbeddedNats(): Promise<void> {
    const pid = this.embeddedNats();
    if (pid === undefined) throw new Error("no embedded nats-server runs");
    process.kill(pid, "SIGKILL");
    await until("the end of the embedded nats-server", () => this.embeddedNats() !== pid || notYet(pid), 5_000);
  }

  /** SIGKILL to the hub, its embedded nats-server and whatever else it started: a helm outlives its hub for a moment. */
  async killAll(): Promise<void> {
    await this.kill();
    await endProcessesNaming(this.dataDir);
  }

  /** Copies the embedded JetStream store, while hub and nats-server are killed, and returns the copy's directory. */
  async copyStore(): Promise<string> {
    this.#mustBeKilled("copy");
    this.#copies += 1;
    const copy = this.#dir.at(`copy-${this.#copies}`);
    await cp(this.#storeDir(), copy, { recursive: true });
    return copy;
  }

  /** Loses the embedded JetStream store whole, while hub and nats-server are killed. Keys and settings stay. */
  async wipeStore(): Promise<void> {
    this.#mustBeKilled("wipe");
    await rm(this.#storeDir(), { recursive: true, force: true });
  }

  /** Puts an older copy in the store's place. */
  async restoreStore(copy: string): Promise<void> {
    await this.wipeStore();
    await cp(copy, this.#storeDir(), { recursive: true });
  }

  /** What the hub and its embedded nats-server use now. */
  usage(): { readonly hub: Usage; readonly nats: Usage } {
    return { hub: usageOf(this.#child?.pid ?? 0), nats: usageOf(this.embeddedNats() ?? 0) };
  }

  /** The command line against this hub; resolves for every exit code. */
  cli(args: readonly string[], options: { readonly input?: string; readonly bound?: number } = {}): Promise<RunResult> {
    return run({
      name: "capstan",
      binary: this.#command.binary,
      args: [...this.#command.args, ...args],
      env: this.#personEnv(),
      cwd: this.#dir.path,
      ...options,
    });
  }

  /** Begins a command that goes on: one that waits or watches. Whoever begins it ends it. */
  begin(args: readonly string[]): Promise<Child> {
    return Child.start({
      name: `capstan ${args[0] ?? ""}`,
      binary: this.#command.binary,
      args: [...this.#command.args, ...args],
      env: this.#personEnv(),
      cwd: this.#dir.path,
    });
  }

  /** The people's API as the first admin, with the credential that the hub has written last. */
  async client(): Promise<HubClient> {
    await until("the first admin's credential", () => existsSync(join(this.dataDir, "admin.json")), 5_000);
    const credential = await adminCredential(this.dataDir);
    if (this.#client?.token !== credential.token || this.#client.ca !== credential.ca) {
      this.#client?.[Symbol.dispose]();
      this.#client = new HubClient(this.endpoint, credential);
    }
    return this.#client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.[Symbol.dispose]();
    await this.#child?.[Symbol.asyncDispose]();
    await endProcessesNaming(this.#dir.path);
    await endProcessesNaming(this.dataDir);
    await this.links.grpc[Symbol.asyncDispose]();
    await this.links.nats[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }

  #whole(): HubConfigPart {
    const { tools, id = "hub", webhookSecret } = this.#init;
    const { grpc, http, nats } = this.ports;
    const own = {
      id,
      data: this.dataDir,
      listen: { address: "127.0.0.1", grpc, http, endpoints: [this.links.grpc.address] },
      nats: {
        mode: "embedded",
        binary: needTool(tools, "natsServer"),
        port: nats,
        urls: [`tls://${this.links.nats.address}`],
      },
      render: { helm: tools.helm, kubectl: tools.kubectl },
    };
    const secret = webhookSecret === undefined ? {} : { sources: { webhookSecret: { file: this.#secretFile() } } };
    return merged(merged(own, secret), this.#config);
  }

  #personEnv(): Record<string, string> {
    return { ...productEnv(this.#dir.path), CAPSTAN_HUB: this.endpoint, CAPSTAN_DATA: this.dataDir };
  }

  #storeDir(): string {
    return join(this.dataDir, "nats", "jetstream");
  }

  #mustBeKilled(what: string): void {
    if (this.#child?.running === true || this.embeddedNats() !== undefined) {
      throw new Error(`kill hub and nats-server before you ${what} the store`);
    }
  }

  #secretFile(): string {
    return this.#dir.at("webhook-secret");
  }
}

/** `part` laid over `base`; maps are merged, but a `nats` of another mode replaces the whole. */
function merged(base: HubConfigPart, part: HubConfigPart): HubConfigPart {
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(part)) {
    const before = result[key];
    const replaces = !isMap(value) || !isMap(before) || ("mode" in value && value["mode"] !== before["mode"]);
    result[key] = replaces ? value : merged(before, value);
  }
  return result;
}

function isMap(value: unknown): value is HubConfigPart {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
