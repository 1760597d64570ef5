import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { toBinary } from "@bufbuild/protobuf";
import { type ClusterId, chunkSubject, desiredKey, hintSubject, parseDigest } from "@capstan/proto";
import { type SignedDesiredState, SignedDesiredStateSchema } from "@capstan/proto/desired";
import { connect, type JetStreamClient, type KV, type NatsConnection } from "nats";

/** Where nats-server is, if anywhere; with `CI=true` its absence throws. */
export function findNats(): string | undefined {
  const cache = join(homedir(), ".cache/capstan/servers");
  const cached = existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name, "nats-server")) : [];
  const found = [process.env["NATS_SERVER"], ...cached].find((file) => file !== undefined && existsSync(file));
  if (found === undefined && process.env["CI"] === "true")
    throw new Error("no nats-server, and CI=true forbids to skip");
  return found;
}

const cluster = "a" as ClusterId;

/** A real server with accounts HUB and AGENTS as the design has them, one agent `a`, and the hub's hand in it. */
export class NatsServer {
  readonly #binary: string;
  readonly #folder: string;
  #port = 0;
  #child: ChildProcess | undefined;
  #hub: NatsConnection | undefined;
  #js: JetStreamClient | undefined;
  #state: KV | undefined;

  constructor(binary: string, folder: string) {
    this.#binary = binary;
    this.#folder = folder;
  }

  /** In a folder of its own; nothing runs yet. `agentKey` is the agent's `U…`. */
  static async prepare(binary: string): Promise<NatsServer> {
    const server = new NatsServer(binary, await mkdtemp(join(tmpdir(), "capstan-nats-")));
    server.#port = await freePort();
    return server;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.#port}`;
  }

  async start(agentKey: string): Promise<void> {
    const reads = ["$JS.API.DIRECT.GET.KV_state.$KV.state.desired.a", "$JS.API.DIRECT.GET.bundles.bundle.>"];
    const config = {
      host: "127.0.0.1",
      port: this.#port,
      jetstream: { store_dir: join(this.#folder, "js"), sync_interval: "always" },
      accounts: {
        HUB: {
          jetstream: "enabled",
          users: [{ user: "hub", password: "hub" }],
          exports: [...reads.map((service) => ({ service })), { stream: "hint.*" }],
        },
        AGENTS: {
          users: [
            {
              nkey: agentKey,
              permissions: {
                publish: { allow: ["get.desired.a", reads[1]] },
                subscribe: { allow: ["hint.a", "_INBOX_a.>"] },
              },
            },
          ],
          imports: [
            { service: { account: "HUB", subject: reads[0] }, to: "get.desired.a" },
            { service: { account: "HUB", subject: reads[1] } },
            { stream: { account: "HUB", subject: "hint.*" } },
          ],
        },
      },
    };
    const file = join(this.#folder, "server.conf");
    await writeFile(file, JSON.stringify(config));
    this.#child = spawn(this.#binary, ["-c", file], { stdio: "ignore" });
    const options = { servers: this.url, user: "hub", pass: "hub", waitOnFirstConnect: true, reconnectTimeWait: 50 };
    this.#hub = await connect({ ...options, maxReconnectAttempts: 200 });
    this.#js = this.#hub.jetstream();
    this.#state = await this.#js.views.kv("state", { allow_direct: true } as never);
    const manager = await this.#hub.jetstreamManager();
    await manager.streams.add({ name: "bundles", subjects: ["bundle.>"], allow_direct: true });
  }

  /** Stores a state and, unless told otherwise, hints at its revision. */
  async publish(signed: SignedDesiredState, revision: bigint, hint = true): Promise<void> {
    await this.#state?.put(desiredKey(cluster), toBinary(SignedDesiredStateSchema, signed));
    if (hint) this.#hub?.publish(hintSubject(cluster), String(revision));
    await this.#hub?.flush();
  }

  hint(text: string): void {
    this.#hub?.publish(hintSubject(cluster), text);
  }

  async forget(): Promise<void> {
    await this.#state?.delete(desiredKey(cluster));
  }

  /** Chunks by `digest/n`. */
  async store(chunks: ReadonlyMap<string, Uint8Array>): Promise<void> {
    for (const [name, bytes] of chunks) {
      const [digest = "", n] = name.split("/");
      await this.#js?.publish(chunkSubject(parseDigest(digest), Number(n)), bytes);
    }
  }

  /** Kills the server; its store stays. */
  async kill(): Promise<void> {
    await this.#hub?.close();
    const child = this.#child;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGKILL");
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = address !== null && typeof address === "object" ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}
