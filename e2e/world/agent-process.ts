import { writeFile } from "node:fs/promises";
import { Child } from "./process.ts";
import { type Command, capstanAgent, productEnv } from "./programs.ts";
import { TempDir } from "./temp.ts";

/** An agent to start. */
export interface AgentInit {
  readonly cluster: string;
  /** How it reaches its cluster's API server: with the rights of its own account. */
  readonly kubeconfig: string;
  /** `host:port` of the hubs' gRPC, through whatever links it is to take. */
  readonly hubs: readonly string[];
  /** Join token, for the first start. */
  readonly token?: string;
  readonly command?: Command;
  readonly args?: readonly string[];
  /** Variables besides those of every product. */
  readonly env?: Readonly<Record<string, string>>;
}

/** An agent process. It keeps its state in its cluster, so that a new process goes on where the old one was. */
export class AgentProcess implements AsyncDisposable {
  #init: AgentInit;
  readonly #dir: TempDir;
  readonly #command: Command;
  #child: Child | undefined;

  private constructor(init: AgentInit, dir: TempDir) {
    this.#init = init;
    this.#dir = dir;
    this.#command = init.command ?? capstanAgent();
  }

  static async start(init: AgentInit): Promise<AgentProcess> {
    const self = new AgentProcess(init, await TempDir.make(`agent-${init.cluster}`));
    try {
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

  /** Starts it if it does not run. What it then does is seen at the hub and in the cluster. */
  async restart(): Promise<void> {
    if (this.#child?.running === true) return;
    const { cluster, kubeconfig, hubs, token, args = [] } = this.#init;
    const tokenFile = this.#dir.at("token");
    if (token !== undefined) await writeFile(tokenFile, token, { mode: 0o600 });
    const join = token === undefined ? [] : ["--join-token-file", tokenFile];
    const flags = [
      "--cluster",
      cluster,
      ...hubs.flatMap((hub) => ["--hub", hub]),
      "--kubeconfig",
      kubeconfig,
      ...join,
      ...args,
    ];
    this.#child = await Child.start({
      name: `agent ${cluster}`,
      binary: this.#command.binary,
      args: [...this.#command.args, "run", ...flags],
      env: { ...productEnv(this.#dir.path), ...this.#init.env },
      cwd: this.#dir.path,
      logFile: this.#dir.at("agent.log"),
    });
  }

  /** Puts another join token where the agent reads it, as a changed Secret does; it goes on running. */
  async giveToken(token: string): Promise<void> {
    this.#init = { ...this.#init, token };
    await writeFile(this.#dir.at("token"), token, { mode: 0o600 });
  }

  /** Changes its variables; they count from the next start. */
  setEnv(env: Readonly<Record<string, string>>): void {
    this.#init = { ...this.#init, env };
  }

  async kill(): Promise<void> {
    await this.#child?.kill();
  }

  async stop(): Promise<void> {
    await this.#child?.stop();
  }

  pause(): void {
    this.#child?.pause();
  }

  resume(): void {
    this.#child?.resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child?.[Symbol.asyncDispose]();
    await this.#dir[Symbol.asyncDispose]();
  }
}
