import { Phase, type TargetReport } from "@capstan/proto/agent";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { AgentProcess } from "../world/agent-process.ts";
import type { WorldCluster } from "../world/cluster.ts";
import type { HubClient } from "../world/hub-client.ts";
import { capstanAgent } from "../world/programs.ts";
import type { Files } from "../world/repository.ts";
import { notYet, until } from "../world/wait.ts";
import { World } from "../world/world.ts";
import type { BenchContext } from "./bench.ts";
import { knob } from "./fleet.ts";

/** How many targets of four objects each. */
export const targets = () => knob("TARGETS", 1_000);
/** Kinds of a target's objects, as an API server's metrics name them. */
const resources = ["serviceaccounts", "configmaps", "services", "deployments"];
const bound = 900_000;

/** What an API server has answered so far about objects of the targets' kinds. */
export interface Asked {
  readonly writes: number;
  /** Reads, dry-runs and writes; watches apart. */
  readonly requests: number;
  readonly lists: number;
  /** Writes of Secrets: the agent's own books. */
  readonly bookkeeping: number;
}

/** One real cluster with the built agent, whose hub brings it a target for each directory of one repository. */
export class Thousand implements AsyncDisposable {
  readonly world: World;
  readonly cluster: WorldCluster;
  readonly agent: AgentProcess;
  readonly #hub: HubClient;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    parts: Pick<Thousand, "world" | "cluster" | "agent">,
    hub: HubClient,
    stack: AsyncDisposableStack,
  ) {
    this.world = parts.world;
    this.cluster = parts.cluster;
    this.agent = parts.agent;
    this.#hub = hub;
    this.#stack = stack;
  }

  /** A joined cluster without a target. */
  static async start({ tools }: BenchContext): Promise<Thousand> {
    const skip = skipReason(tools, realCluster);
    if (skip !== false) throw new Error(`this bench needs a real API server: ${skip}`);
    const stack = new AsyncDisposableStack();
    try {
      const world = stack.use(await World.start({ tools, clusters: [{ id: "a", kind: "real" }], files: {} }));
      await world.repository.publish({ "argocd/cluster.yaml": declared }, "The cluster");
      await world.join("a");
      const cluster = world.cluster("a");
      const hub = await world.hub.client();
      await until("the first session", async () => (await hub.fleet.getFleetStatus({})).connected === 1, 60_000);
      // The account is made as for every cluster; but the agent is the built one, with its own flags.
      await cluster.agent?.[Symbol.asyncDispose]();
      const kubeconfig = await cluster.kubeconfigOf("capstan-system", "capstan-agent");
      const hubs = [world.hub.links.grpc.address];
      const agent = stack.use(
        await AgentProcess.start({ cluster: "a", kubeconfig, hubs, command: capstanAgent("built") }),
      );
      return new Thousand({ world, cluster, agent }, hub, stack);
    } catch (error) {
      await stack.disposeAsync();
      throw error;
    }
  }

  /** One push with all targets. Returns the seconds from its end until all were reported applied. */
  async apply(): Promise<number> {
    return this.push(manifests(this.world.repository.url, targets()), () => true);
  }

  /** The same manifests under another policy: a new generation of every target. Returns the seconds as `apply` does. */
  async reapply(): Promise<number> {
    const before = new Map((await this.#reports()).map((report) => [report.name, report.generation]));
    const files = { "argocd/apps.yaml": setOf(this.world.repository.url, "PruneLast=true") };
    return this.push(files, ({ name, generation }) => generation > (before.get(name) ?? 0n));
  }

  /** Publishes files and waits until all targets report so. Returns seconds from the push. */
  async push(files: Files, isNew: (report: TargetReport) => boolean): Promise<number> {
    const { onPush } = this.world.repository;
    let started = performance.now();
    this.world.repository.onPush = async (push) => {
      started = performance.now();
      await onPush?.(push);
    };
    await this.world.repository.publish(files, "A push");
    this.world.repository.onPush = onPush;
    const done = async () => (await this.#reports()).filter((report) => isApplied(report) && isNew(report)).length;
    await until("all targets", async () => (await done()) === targets() || notYet(await done()), { bound, every: 250 });
    return (performance.now() - started) / 1_000;
  }

  /** What the agent's process uses now. */
  get used() {
    return this.agent.child?.usage() ?? { rssBytes: 0, rssAnonBytes: 0, cpuSeconds: 0 };
  }

  /** The most memory in bytes, and the CPU seconds, of the agent while something is done. */
  async watchUse<T>(
    work: () => Promise<T>,
  ): Promise<{ readonly value: T; readonly rss: number; readonly cpu: number }> {
    let rss = 0;
    const began = this.used.cpuSeconds;
    const timer = setInterval(() => {
      rss = Math.max(rss, this.used.rssBytes);
    }, 100);
    try {
      const value = await work();
      return { value, rss: Math.max(rss, this.used.rssBytes), cpu: this.used.cpuSeconds - began };
    } finally {
      clearInterval(timer);
    }
  }

  /** Counted by the API server itself, whoever asked; a difference of two says what was asked between. */
  async asked(): Promise<Asked> {
    const { body } = await this.cluster.client.send("GET", "/metrics");
    const lines = String(body).matchAll(/^apiserver_request_total\{([^}]*)\} (\S+)$/gm);
    const all = { writes: 0, requests: 0, lists: 0, bookkeeping: 0 };
    for (const [, labels = "", count = "0"] of lines) addTo(all, labelsOf(labels), Number(count));
    return all;
  }

  async #reports(): Promise<TargetReport[]> {
    const found: TargetReport[] = [];
    for (let pageToken = ""; ; ) {
      const page = await this.#hub.applications.listTargets({ options: { pageSize: 500, pageToken } });
      found.push(...page.targets.flatMap(({ report }) => report ?? []));
      pageToken = page.result?.nextPageToken ?? "";
      if (pageToken === "") return found;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hub[Symbol.dispose]();
    await this.#stack.disposeAsync();
  }
}

/** Between two counts. */
export function since(before: Asked, after: Asked): Asked {
  return {
    writes: after.writes - before.writes,
    requests: after.requests - before.requests,
    lists: after.lists - before.lists,
    bookkeeping: after.bookkeeping - before.bookkeeping,
  };
}

function addTo(all: { -readonly [K in keyof Asked]: number }, labels: Readonly<Record<string, string>>, count: number) {
  const { verb = "", resource = "", subresource = "", dry_run = "" } = labels;
  const isWrite = ["APPLY", "PATCH", "PUT", "POST", "DELETE"].includes(verb) && dry_run === "";
  if (resource === "secrets" && isWrite) all.bookkeeping += count;
  if (!resources.includes(resource) || subresource !== "" || verb === "WATCH") return;
  if (verb === "LIST") all.lists += count;
  if (isWrite) all.writes += count;
  all.requests += count;
}

function labelsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries([...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]));
}

function isApplied({ phase, counts }: TargetReport): boolean {
  const applied = phase === Phase.SETTLING || phase === Phase.DONE;
  return applied && counts?.objects === 4 && counts.failed === 0;
}

const declared = "apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: a\nspec:\n  mode: Enforce\n";

function manifests(repoURL: string, count: number): Files {
  const files: Record<string, string> = { "argocd/apps.yaml": setOf(repoURL) };
  for (let index = 0; index < count; index += 1) {
    files[`apps/app${index}/all.yaml`] = objectsOf(`app${index}`)
      .map((object) => JSON.stringify(object))
      .join("\n---\n");
  }
  return files;
}

/** The four objects of one target. */
export function objectsOf(name: string): readonly Manifest[] {
  const labels = { app: name };
  const containers = [{ name: "main", image: "registry.example/app:1", ports: [{ containerPort: 8080 }] }];
  const template = { metadata: { labels }, spec: { serviceAccountName: name, containers } };
  const object = (apiVersion: string, kind: string, rest: object) => ({
    apiVersion,
    kind,
    metadata: { name, labels },
    ...rest,
  });
  return [
    object("v1", "ServiceAccount", {}),
    object("v1", "ConfigMap", { data: { key: "value", text: "x".repeat(200) } }),
    object("v1", "Service", { spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } }),
    object("apps/v1", "Deployment", { spec: { replicas: 0, selector: { matchLabels: labels }, template } }),
  ];
}

/** An object as a bench makes it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels: Readonly<Record<string, string>> };
}

/** Where an object of a target stands. */
export function pathOf({ apiVersion, kind, metadata }: Manifest, namespace: string): string {
  const root = apiVersion === "v1" ? "/api/v1" : `/apis/${apiVersion}`;
  return `${root}/namespaces/${namespace}/${kind.toLowerCase()}s/${metadata.name}`;
}

function setOf(repoURL: string, option = "PruneLast=false"): string {
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: apps
  namespace: argocd
spec:
  strategy:
    type: AllAtOnce
  generators:
    - git:
        repoURL: ${repoURL}
        revision: main
        directories:
          - path: apps/*
  template:
    metadata:
      name: "{{path.basename}}"
    spec:
      project: default
      source:
        repoURL: ${repoURL}
        targetRevision: main
        path: "{{path}}"
      destination:
        name: a
        namespace: apps
      syncPolicy:
        automated:
          selfHeal: true
        syncOptions: [CreateNamespace=true, ${option}]
`;
}
