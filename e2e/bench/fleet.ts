import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { FleetService } from "@capstan/proto/fleet";
import type { Client } from "@grpc/grpc-js";
import type { NatsConnection } from "nats";
import { GitServer } from "../world/git-server.ts";
import { type HubConfigPart, HubProcess } from "../world/hub-process.ts";
import { connectHubStore } from "../world/hub-store.ts";
import { type Command, capstan } from "../world/programs.ts";
import { type Files, githubWebhook, Repository } from "../world/repository.ts";
import { SimulatedAgents, type SimulatedAgentsInit } from "../world/simulated-agents.ts";
import { callUnary, openHub } from "../world/simulated-agents-calls.ts";
import { until } from "../world/wait.ts";
import { type BenchContext, rate } from "./bench.ts";

/** A fleet to measure. */
export interface FleetInit {
  readonly context: BenchContext;
  readonly clusters: number;
  /** What the repository holds besides the `Cluster` documents; its URL is given. */
  files(repoURL: string): Files;
  readonly config?: HubConfigPart;
}

const secret = "the bench's webhook secret";
const rootPath = "argocd";
const profileFolder = process.env["CAPSTAN_BENCH_CPU_PROFILE"];

/** The id of the cluster with this number. */
export function clusterId(index: number): string {
  return `c${String(index).padStart(4, "0")}`;
}

/** A number from the environment, so that a bench can be run at another size: `CAPSTAN_BENCH_<NAME>`. */
export function knob(name: string, standard: number): number {
  const value = process.env[`CAPSTAN_BENCH_${name}`];
  return value === undefined ? standard : Number(value);
}

/** The hub as a process, its repository behind a Git server, and a person with all rights. */
export class BenchFleet implements AsyncDisposable {
  readonly git: GitServer;
  readonly repository: Repository;
  readonly hub: HubProcess;
  readonly clusters: readonly string[];
  readonly #stack: AsyncDisposableStack;
  #client: Client | undefined;
  #token = "";
  readonly #say: BenchContext["say"];

  private constructor(parts: Pick<BenchFleet, "git" | "repository" | "hub" | "clusters">, rest: Rest) {
    const { stack, say } = rest;
    this.git = parts.git;
    this.repository = parts.repository;
    this.hub = parts.hub;
    this.clusters = parts.clusters;
    this.#stack = stack;
    this.#say = say;
  }

  static async start(init: FleetInit): Promise<BenchFleet> {
    const stack = new AsyncDisposableStack();
    try {
      const clusters = Array.from({ length: init.clusters }, (_, index) => clusterId(index));
      const git = stack.use(await GitServer.start());
      const repoURL = await git.create("fleet");
      const repository = stack.use(await Repository.clone({ url: repoURL }));
      await repository.publish({ ...init.files(repoURL), [`${rootPath}/clusters.yaml`]: documents(clusters) }, "Fleet");
      const hub = stack.use(
        await HubProcess.start({
          tools: init.context.tools,
          webhookSecret: secret,
          command: hubCommand(),
          config: {
            // Agents go straight: a proxy in this process would be measured too.
            listen: { endpoints: [] },
            nats: { urls: [] },
            roots: [{ name: "fleet", repoURL, revision: "main", path: rootPath }],
            ...init.config,
          },
        }),
      );
      repository.onPush = githubWebhook({ url: `${hub.httpUrl}/webhook`, secret });
      const { say } = init.context;
      const self = new BenchFleet({ git, repository, hub, clusters }, { stack, say });
      await self.#logIn();
      return self;
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** One call as the first admin. */
  async call<M extends Parameters<typeof callUnary>[1]>(
    method: M,
    request: Parameters<typeof callUnary<M>>[2]["request"],
  ) {
    if (this.#client === undefined) throw new Error("nobody is logged in");
    return callUnary(this.#client, method, { request, token: this.#token, deadlineMs: 120_000 });
  }

  /** A join token for each cluster. */
  async tokens(): Promise<ReadonlyMap<string, string>> {
    const tokens = new Map<string, string>();
    await rate(this.clusters.length, 32, async (index) => {
      const id = clusterId(index);
      tokens.set(id, (await this.call(FleetService.method.addCluster, { id })).token);
    });
    return tokens;
  }

  /** Simulated agents on all clusters, enrolled and on their way to their sessions. */
  async join(init: Omit<SimulatedAgentsInit, "hub" | "tokens">): Promise<SimulatedAgents> {
    const began = performance.now();
    const tokens = await this.tokens();
    this.#say(`bench: ${tokens.size} join tokens in ${((performance.now() - began) / 1_000).toFixed(1)} s`);
    return this.#stack.use(await SimulatedAgents.start({ ...init, hub: this.hub.endpoint, tokens }));
  }

  /** Pushes; `pushed` is called when the push has ended and the webhook is about to be. */
  async push(pushed: () => void): Promise<void> {
    const { onPush } = this.repository;
    this.repository.onPush = async (push) => {
      pushed();
      await onPush?.(push);
    };
    try {
      await this.repository.push();
    } finally {
      this.repository.onPush = onPush;
    }
  }

  /** The hub's store, as the hub sees it. */
  async store(): Promise<{ readonly connection: NatsConnection } & AsyncDisposable> {
    const connection = await connectHubStore(this.hub);
    return { connection, [Symbol.asyncDispose]: () => connection.close() };
  }

  /** The fleet's counts as a person sees them. */
  status() {
    return this.call(FleetService.method.getFleetStatus, {});
  }

  /** Every cluster as a person sees it. */
  async list() {
    const all = [];
    for (let pageToken = ""; ; ) {
      const answer = await this.call(FleetService.method.listClusters, { options: { pageSize: 1_000, pageToken } });
      all.push(...answer.clusters);
      pageToken = answer.result?.nextPageToken ?? "";
      if (pageToken === "") return all;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#client?.close();
    // A profile is written at an orderly end only.
    if (profileFolder !== undefined) await this.hub.stop();
    await this.#stack.disposeAsync();
  }

  async #logIn(): Promise<void> {
    const file = join(this.hub.dataDir, "admin.json");
    const text = await until("the first admin's credential", () => readFile(file, "utf8"), 30_000);
    const { ca, token } = JSON.parse(text) as { readonly ca: string; readonly token: string };
    this.#client = openHub(this.hub.endpoint, { ca: [new X509Certificate(Buffer.from(ca, "base64")).raw] });
    this.#token = token;
  }
}

interface Rest {
  readonly stack: AsyncDisposableStack;
  readonly say: BenchContext["say"];
}

/** `CAPSTAN_BENCH_CPU_PROFILE=FOLDER` leaves a profile of the hub there when it ends. */
function hubCommand(): Command {
  const { binary, args } = capstan();
  const node = (process.env["CAPSTAN_BENCH_NODE_ARGS"] ?? "").split(" ").filter(Boolean);
  return profileFolder === undefined
    ? { binary, args: [...node, ...args] }
    : { binary, args: ["--cpu-prof", `--cpu-prof-dir=${profileFolder}`, ...args] };
}

function documents(clusters: readonly string[]): string {
  return clusters
    .map((id, index) => {
      const env = index % 10 === 0 ? "staging" : "prod";
      return `apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: ${id}\n  labels:\n    env: ${env}\n    number: n${index}\n    variant: v${index % 10}\n`;
    })
    .join("---\n");
}
