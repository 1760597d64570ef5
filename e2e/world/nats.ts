import { cp, rm, writeFile } from "node:fs/promises";
import type { Tools } from "../toolchain/tools.ts";
import { freePort } from "./ports.ts";
import { Child } from "./process.ts";
import { TempDir } from "./temp.ts";

/** A bare nats-server to start. */
export interface NatsInit {
  readonly tools: Pick<Tools, "natsServer">;
  /** Lines of nats-server configuration besides port, JetStream store and `sync_interval: always`. */
  readonly config?: string;
  /** Tests run with fsync on every write, as the product does; benches of the floor may say "2m". */
  readonly syncInterval?: string;
}

/**
 * A nats-server of the test's own (an "external NATS"), with a store that can be copied, set back to a copy, and wiped.
 * Connect to `url`; `clientUrl` of a proxy goes in between where a cut is wanted.
 */
export class NatsServer implements AsyncDisposable {
  readonly port: number;
  readonly #init: NatsInit;
  readonly #dir: TempDir;
  #child: Child | undefined;
  #copies = 0;

  private constructor(init: NatsInit, dir: TempDir, port: number) {
    this.#init = init;
    this.#dir = dir;
    this.port = port;
  }

  static async start(init: NatsInit): Promise<NatsServer> {
    const self = new NatsServer(init, await TempDir.make("nats"), await freePort());
    try {
      await self.#writeConfig(init.config ?? "");
      await self.restart();
      return self;
    } catch (error) {
      await self[Symbol.asyncDispose]();
      throw error;
    }
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get child(): Child | undefined {
    return this.#child;
  }

  /** Directory of the JetStream store. */
  get storeDir(): string {
    return this.#dir.at("store");
  }

  /** Kills it with SIGKILL; the store stays. */
  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  /** Starts it again after a kill, on the same port and store. */
  async restart(): Promise<void> {
    if (this.#child?.running === true) return;
    this.#child = await Child.start({
      name: "nats-server",
      binary: this.#init.tools.natsServer,
      args: ["-c", this.#dir.at("nats.conf")],
      cwd: this.#dir.path,
      logFile: this.#dir.at("nats.log"),
    });
    await this.#child.ready("it listens", (output) => output.includes("Server is ready"), 15_000);
  }

  /** Replaces the extra configuration lines; they count from the next restart. */
  async configure(config: string): Promise<void> {
    await this.#writeConfig(config);
  }

  pause(): void {
    this.#child?.pause();
  }

  resume(): void {
    this.#child?.resume();
  }

  /** Copies the store of the stopped server and returns the copy's directory. Throws while it runs. */
  async copyStore(): Promise<string> {
    this.#mustBeStopped("copy");
    this.#copies += 1;
    const copy = this.#dir.at(`copy-${this.#copies}`);
    await cp(this.storeDir, copy, { recursive: true });
    return copy;
  }

  /** Puts an older copy in the place of the stopped server's store. */
  async restoreStore(copy: string): Promise<void> {
    await this.wipe();
    await cp(copy, this.storeDir, { recursive: true });
  }

  /** Loses the stopped server's store whole. */
  async wipe(): Promise<void> {
    this.#mustBeStopped("wipe");
    await rm(this.storeDir, { recursive: true, force: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }

  #mustBeStopped(what: string): void {
    if (this.#child?.running === true) throw new Error(`kill the nats-server before you ${what} its store`);
  }

  #writeConfig(extra: string): Promise<void> {
    const lines = [
      `listen: "127.0.0.1:${this.port}"`,
      `jetstream { store_dir: ${JSON.stringify(this.storeDir)}, sync_interval: ${this.#init.syncInterval ?? "always"} }`,
      extra,
    ];
    return writeFile(this.#dir.at("nats.conf"), `${lines.join("\n")}\n`);
  }
}
