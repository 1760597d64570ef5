import { ensureTools, type Tools } from "../toolchain/tools.ts";
import { AgentProcess } from "./agent-process.ts";
import { type ClusterInit, WorldCluster } from "./cluster.ts";
import { fleetRepository, rootPath } from "./fleet-repository.ts";
import { GitServer } from "./git-server.ts";
import { History } from "./history.ts";
import { type HubInit, HubProcess } from "./hub-process.ts";
import type { Child, RunResult } from "./process.ts";
import { type Files, githubWebhook, Repository } from "./repository.ts";
import { makeCertificate } from "./simulated-api-server/certificate.ts";

/** A world to start. */
export interface WorldInit {
  readonly clusters: readonly ClusterInit[];
  /** `none` starts everything around a hub. */
  readonly hub?: Omit<HubInit, "tools" | "webhookSecret"> | "none";
  /** What the fleet repository holds at first; the sample by default. */
  readonly files?: Files | ((repoURL: string) => Files);
  readonly tools?: Tools;
}

/** Proves pushes to the world's hub. */
export const webhookSecret = "the world's webhook secret";
const repositoryName = "fleet";
/** Where `capstan cluster manifest` puts the agent, and its account there. */
const agentAccount = { namespace: "capstan-system", name: "capstan-agent" } as const;

/** Git server, fleet repository, clusters, hub and agents: all real, each with handles to cut, pause, kill and restore. */
export class World implements AsyncDisposable {
  readonly tools: Tools;
  readonly git: GitServer;
  /** A clone of the fleet repository; its pushes are told to the hub. */
  readonly repository: Repository;
  readonly clusters: ReadonlyMap<string, WorldCluster>;
  readonly history = new History();
  /** Further hubs, which agents are told of when they join; whoever starts them ends them. */
  readonly standbys: HubProcess[] = [];
  readonly #hub: HubProcess | undefined;
  readonly #stack: AsyncDisposableStack;

  private constructor(parts: Pick<World, "tools" | "git" | "repository" | "clusters">, rest: Rest) {
    this.tools = parts.tools;
    this.git = parts.git;
    this.repository = parts.repository;
    this.clusters = parts.clusters;
    this.#hub = rest.hub;
    this.#stack = rest.stack;
  }

  /** Starts all of it; nothing is joined yet. Whatever was started ends when this fails. */
  static async start(init: WorldInit): Promise<World> {
    const stack = new AsyncDisposableStack();
    try {
      const tools = init.tools ?? (await ensureTools());
      const git = stack.use(await GitServer.start());
      const [clusters, { repository, hub }] = await both(
        startClusters(init.clusters, tools, stack),
        startFleet(init, { tools, git, stack }),
      );
      if (hub !== undefined) {
        repository.onPush = githubWebhook({ url: `${hub.httpUrl}/webhook`, secret: webhookSecret });
      }
      return new World({ tools, git, repository, clusters }, { hub, stack });
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** Throws in a world without one. */
  get hub(): HubProcess {
    if (this.#hub === undefined) throw new Error("this world was started without a hub");
    return this.#hub;
  }

  cluster(id: string): WorldCluster {
    const found = this.clusters.get(id);
    if (found === undefined) throw new Error(`this world has no cluster ${id}`);
    return found;
  }

  /** The programs that run now; for logs of a failed test. */
  get children(): readonly Child[] {
    const agents = [...this.clusters.values()].map((cluster) => cluster.agent?.child);
    return [this.#hub?.child, ...agents].filter((child) => child !== undefined);
  }

  /**
   * Joins a cluster: by the command line as a person would (token, manifest through kubectl, agent with the manifest's
   * rights); with `cluster join` in kubectl's place, which is quicker; or by the API alone, without any rights, which does
   * for simulated clusters. Resolves when its agent runs.
   */
  async join(id: string, how: Joining = this.cluster(id).kind === "real" ? "cli" : "api"): Promise<void> {
    const cluster = this.cluster(id);
    const token = how === "cli" ? await this.#install(cluster) : await this.#admit(cluster, how);
    await cluster.agent?.[Symbol.asyncDispose]();
    const kubeconfig = await cluster.kubeconfigOf(agentAccount.namespace, agentAccount.name);
    const hubs = [this.hub, ...this.standbys].map(({ links }) => links.grpc.address);
    cluster.agent = await AgentProcess.start({ cluster: id, kubeconfig, hubs, token });
  }

  /** Joins all clusters at once; each by its own default unless told how. */
  async joinAll(how?: Joining): Promise<void> {
    await Promise.all([...this.clusters.keys()].map((id) => this.join(id, how)));
  }

  async #install(cluster: WorldCluster): Promise<string> {
    const { id } = cluster;
    const added = expectDone(await this.hub.cli(["cluster", "add", id, "-o", "json"]));
    const { token } = JSON.parse(added) as { readonly token: string };
    const manifest = await this.hub.cli(["cluster", "manifest", id, "--token-file", "-"], { input: token });
    const apply = ["apply", "--server-side", "--validate=false", "-f", "-"];
    expectDone(await cluster.kubectl(apply, expectDone(manifest)));
    return token;
  }

  async #admit(cluster: WorldCluster, how: "api" | "join"): Promise<string> {
    const { id, client } = cluster;
    const hub = await this.hub.client();
    const { token } = await hub.fleet.addCluster({ id });
    if (how === "join") {
      const args = ["cluster", "join", id, "--token-file", "-", "--kubeconfig", await cluster.adminKubeconfig()];
      expectDone(await this.hub.cli(args, { input: token }));
      return token;
    }
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: agentAccount.namespace } };
    await client.apply(`/api/v1/namespaces/${agentAccount.namespace}`, namespace);
    for (const name of [agentAccount.name, "capstan-applier"]) {
      const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name } };
      await client.apply(`/api/v1/namespaces/${agentAccount.namespace}/serviceaccounts/${name}`, account);
    }
    return token;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // First, and together: they would only complain of what goes next.
    const agents = [...this.clusters.values()].flatMap(({ agent }) => agent ?? []);
    await Promise.allSettled(agents.map((agent) => agent[Symbol.asyncDispose]()));
    await this.#stack.disposeAsync();
  }
}

/** How a cluster comes to the fleet. */
export type Joining = "cli" | "join" | "api";

interface Rest {
  readonly hub: HubProcess | undefined;
  readonly stack: AsyncDisposableStack;
}

/** Both values; when one fails, the other has ended one way or the other before this throws. */
async function both<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return Promise.all([first, second]);
}

interface Ground {
  readonly tools: Tools;
  readonly git: GitServer;
  readonly stack: AsyncDisposableStack;
}

/** The fleet repository with its first commit, and the hub that follows it. */
async function startFleet(init: WorldInit, { tools, git, stack }: Ground) {
  const repoURL = await git.create(repositoryName);
  const repository = stack.use(await Repository.clone({ url: repoURL }));
  const declared = init.clusters.map(({ id, labels = {} }) => ({ id, labels }));
  const files = typeof init.files === "function" ? init.files(repoURL) : init.files;
  await repository.publish(files ?? fleetRepository({ repoURL, clusters: declared }), "The fleet");
  const hub = init.hub === "none" ? undefined : stack.use(await startHub(init.hub ?? {}, tools, repoURL));
  return { repository, hub };
}

async function startClusters(inits: readonly ClusterInit[], tools: Tools, stack: AsyncDisposableStack) {
  const certificate = await makeCertificate();
  const started = inits.map((init) => WorldCluster.start(init, { tools, certificate }));
  const settled = await Promise.allSettled(started);
  const clusters = new Map<string, WorldCluster>();
  for (const one of settled) {
    if (one.status === "fulfilled") clusters.set(one.value.id, stack.use(one.value));
  }
  const failed = settled.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  return clusters;
}

function startHub(init: Omit<HubInit, "tools" | "webhookSecret">, tools: Tools, repoURL: string): Promise<HubProcess> {
  const roots = [{ name: repositoryName, repoURL, revision: "main", path: rootPath }];
  return HubProcess.start({ ...init, tools, webhookSecret, config: { roots, ...init.config } });
}

function expectDone(result: RunResult): string {
  if (result.code !== 0) throw new Error(`exit code ${result.code}:\n${result.stderr}${result.stdout}`);
  return result.stdout;
}
