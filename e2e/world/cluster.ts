import type { Tools } from "../toolchain/tools.ts";
import type { AgentProcess } from "./agent-process.ts";
import { ApiServer } from "./api-server.ts";
import { type KubeAccess, KubeClient } from "./kube-client.ts";
import { writeKubeconfig } from "./kubeconfig.ts";
import { type RunResult, run } from "./process.ts";
import { TcpProxy } from "./proxy.ts";
import type { Certificate } from "./simulated-api-server/certificate.ts";
import { tokenOf } from "./simulated-api-server/reviews.ts";
import { SimulatedApiServer } from "./simulated-api-server/server.ts";
import type { Pace } from "./simulated-api-server/workloads.ts";
import { TempDir } from "./temp.ts";
import { WorkloadActor } from "./workload-actor.ts";

/** A cluster of a world. */
export interface ClusterInit {
  readonly id: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly kind: "real" | "simulated";
  /** Milliseconds until sound workloads are ready; 300 by default. */
  readonly pace?: Pace;
  /** Real clusters only: run kube-controller-manager too. */
  readonly controllerManager?: boolean;
}

/** What all clusters of a world share. */
export interface ClusterSurroundings {
  readonly tools: Tools;
  readonly certificate: Certificate;
}

/**
 * A cluster, real or simulated, behind one handle: its API server, whoever makes its workloads ready, and the link by
 * which its agent reaches the API server.
 */
export class WorldCluster implements AsyncDisposable {
  readonly id: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly kind: ClusterInit["kind"];
  /** The link from the agent to the API server. */
  readonly link: TcpProxy;
  /** With all rights, past the link. */
  readonly client: KubeClient;
  /** Set when it was joined. */
  agent: AgentProcess | undefined;
  readonly #tools: Tools;
  readonly #server: ApiServer | SimulatedApiServer;
  readonly #dir: TempDir;
  readonly #stack: AsyncDisposableStack;

  private constructor(init: ClusterInit, tools: Tools, parts: Parts) {
    this.id = init.id;
    this.labels = init.labels ?? {};
    this.kind = init.kind;
    this.#tools = tools;
    this.#server = parts.server;
    this.link = parts.link;
    this.#dir = parts.dir;
    this.#stack = parts.stack;
    this.client = this.#stack.use(new KubeClient(parts.server.admin));
  }

  static async start(init: ClusterInit, { tools, certificate }: ClusterSurroundings): Promise<WorldCluster> {
    const stack = new AsyncDisposableStack();
    const pace = init.pace ?? { readyAfter: 300 };
    try {
      const dir = stack.use(await TempDir.make(`cluster-${init.id}`));
      const server =
        init.kind === "simulated"
          ? stack.use(await SimulatedApiServer.start({ id: init.id, certificate, pace }))
          : stack.use(await ApiServer.start({ ...init, tools, name: init.id }));
      if (init.kind === "real") {
        const part = init.controllerManager === true ? "pods" : "all";
        stack.use(WorkloadActor.start({ access: server.admin, pace, part }));
      }
      const link = stack.use(await TcpProxy.start({ host: "127.0.0.1", port: Number(new URL(server.url).port) }));
      return new WorldCluster(init, tools, { server, link, dir, stack });
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** The real API server. Throws for a simulated one. */
  get real(): ApiServer {
    if (this.#server instanceof ApiServer) return this.#server;
    throw new Error(`${this.id} is a simulated cluster`);
  }

  /** The simulated API server. Throws for a real one. */
  get simulated(): SimulatedApiServer {
    if (this.#server instanceof SimulatedApiServer) return this.#server;
    throw new Error(`${this.id} is a real cluster`);
  }

  /** UID of kube-system. */
  async incarnation(): Promise<string> {
    const namespace = await this.client.get("/api/v1/namespaces/kube-system");
    if (namespace?.metadata.uid === undefined) throw new Error(`${this.id} has no kube-system`);
    return namespace.metadata.uid;
  }

  /** A kubeconfig with the token of a ServiceAccount; through the link unless told otherwise. */
  async kubeconfigOf(namespace: string, account: string, through: "link" | "straight" = "link"): Promise<string> {
    const token =
      this.#server instanceof ApiServer
        ? await this.#server.tokenFor(namespace, account, 24 * 3_600)
        : tokenOf(namespace, account);
    const scheme = new URL(this.#server.url).protocol;
    const url = through === "link" ? `${scheme}//${this.link.address}` : this.#server.url;
    const access: KubeAccess = { ...this.#server.admin, url, token };
    return writeKubeconfig(this.#dir.at(`${account}.kubeconfig`), this.id, access);
  }

  /** Path of a kubeconfig with all rights, past the link. */
  adminKubeconfig(): Promise<string> {
    return writeKubeconfig(this.#dir.at("admin.kubeconfig"), this.id, this.#server.admin);
  }

  /** kubectl with all rights, past the link; resolves for every exit code. */
  async kubectl(args: readonly string[], input = ""): Promise<RunResult> {
    const config = await this.adminKubeconfig();
    return run({
      name: "kubectl",
      binary: this.#tools.kubectl,
      args: ["--kubeconfig", config, "--cache-dir", this.#dir.at("kubectl"), ...args],
      env: { HOME: this.#dir.path, PATH: "/usr/bin:/bin" },
      input,
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.agent?.[Symbol.asyncDispose]();
    await this.#stack.disposeAsync();
  }
}

interface Parts {
  readonly server: ApiServer | SimulatedApiServer;
  readonly link: TcpProxy;
  readonly dir: TempDir;
  readonly stack: AsyncDisposableStack;
}
