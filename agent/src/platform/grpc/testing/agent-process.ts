import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { ApiServer } from "../../../testing/api-server.ts";

const main = fileURLToPath(new URL("../../../main.ts", import.meta.url));

/** The real program, started as a person would. */
export class AgentProcess {
  readonly #args: readonly string[];
  readonly #folder: string;
  #child: ChildProcess | undefined;
  #ended: Promise<number | null> = Promise.resolve(null);
  /** Everything it wrote on standard error. */
  log = "";

  constructor(args: readonly string[], folder: string) {
    this.#args = args;
    this.#folder = folder;
  }

  /** Writes kubeconfig and token; starts nothing. */
  static async prepare(
    server: ApiServer,
    given: {
      readonly hub: string;
      readonly token: string;
      readonly namespace: string;
      readonly more?: readonly string[];
    },
  ): Promise<AgentProcess> {
    const folder = await mkdtemp(join(tmpdir(), "capstan-agent-"));
    const kubeconfig = {
      clusters: [{ name: "c", cluster: { server: server.access.server, "insecure-skip-tls-verify": true } }],
      users: [{ name: "u", user: { token: await server.access.token() } }],
      contexts: [{ name: "x", context: { cluster: "c", user: "u" } }],
      "current-context": "x",
    };
    await writeFile(join(folder, "kubeconfig"), JSON.stringify(kubeconfig));
    await writeFile(join(folder, "token"), `${given.token}\n`);
    const files = ["--kubeconfig", join(folder, "kubeconfig"), "--join-token-file", join(folder, "token")];
    const args = ["run", "--cluster", "a", "--hub", given.hub, "--namespace", given.namespace, "--log-level", "debug"];
    return new AgentProcess([...args, ...files, ...(given.more ?? [])], folder);
  }

  start(): void {
    const child = spawn(process.execPath, [main, ...this.#args], { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr?.on("data", (chunk: Buffer) => {
      this.log += String(chunk);
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => child.once("exit", resolve));
  }

  /** The exit code; null where a signal ended it. */
  get ended(): Promise<number | null> {
    return this.#ended;
  }

  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    this.#child?.kill(signal);
    return this.#ended;
  }

  async remove(): Promise<void> {
    await this.end("SIGKILL");
    await rm(this.#folder, { recursive: true, force: true });
  }
}
