import { systemChance, systemClock, targetKey } from "@capstan/proto";
import { ObjectMemory } from "../apply/memory.ts";
import { type ApplyInput, type ApplyPolicy, defaultDeletionLimits, type RemovalInput } from "../apply/model.ts";
import { type ApplyPorts, applyTarget, removeTarget } from "../apply/reconciler.ts";
import type { KubeObject } from "../inventory/object.ts";
import { KubeClient, type KubeRequest } from "../platform/kube/client.ts";
import { KubeCluster } from "../platform/kube/cluster.ts";
import { KubeInventoryStore } from "../platform/kube/inventory-store.ts";
import { Kinds } from "../platform/kube/kinds.ts";
import { Reflector } from "../platform/kube/reflector.ts";
import type { ApiServer } from "./api-server.ts";

/** An account with all rights on the test's cluster. */
export const adminAccount = { namespace: "capstan-system", name: "deployer" };

/** The policy of a target that nothing special was asked of. */
export const plainPolicy: ApplyPolicy = {
  mode: "AdoptIfNoDiff",
  prune: true,
  selfHeal: true,
  onError: "continue",
  account: adminAccount,
  createNamespace: false,
  namespaceMetadata: { labels: {}, annotations: {} },
  allowEmpty: false,
  propagation: "background",
  validate: true,
  limits: defaultDeletionLimits,
  approved: new Set(),
};

/** One agent's parts on a real API server, and all requests it sent. */
export class KubeWorld {
  readonly client: KubeClient;
  readonly kinds: Kinds;
  readonly ports: ApplyPorts;
  readonly reflector: Reflector;
  readonly requests: KubeRequest[] = [];
  /** Called before each request; a throw stops it, as a kill would. */
  intercept: ((request: KubeRequest) => void) | undefined;
  readonly #live = new AbortController();

  constructor(server: ApiServer, inFlight = 16) {
    this.client = new KubeClient({
      access: server.access,
      clock: systemClock,
      chance: systemChance,
      inFlight,
      timeoutMs: 30_000,
      onRequest: (request) => {
        this.intercept?.(request);
        this.requests.push(request);
      },
    });
    this.kinds = new Kinds(this.client);
    this.reflector = new Reflector({
      client: this.client,
      kinds: this.kinds,
      clock: systemClock,
      chance: systemChance,
      selector: "capstan.dev/target",
    });
    this.ports = {
      cluster: new KubeCluster(this.client, this.kinds),
      inventory: new KubeInventoryStore(this.client, adminAccount.namespace),
      memory: new ObjectMemory(),
      clock: systemClock,
      concurrency: 8,
    };
  }

  get signal(): AbortSignal {
    return this.#live.signal;
  }

  /** Requests that changed something: no reads, no dry-runs. */
  get writes(): readonly KubeRequest[] {
    return this.requests.filter((request) => request.method !== "GET" && !request.path.includes("dryRun=All"));
  }

  forgetRequests(): void {
    this.requests.length = 0;
  }

  apply(name: string, objects: readonly unknown[], more: Partial<ApplyInput> & { policy?: ApplyPolicy } = {}) {
    const input: ApplyInput = {
      target: targetKey("argocd", name),
      namespace: "default",
      generation: 1,
      digest: JSON.stringify(objects).length.toString(),
      policy: plainPolicy,
      objects: objects as readonly KubeObject[],
      ...more,
    };
    return applyTarget(this.ports, input, this.signal);
  }

  remove(name: string, objects: "keep" | "prune", limits?: RemovalInput["limits"]) {
    const target = targetKey("argocd", name);
    const input = { target, account: adminAccount, objects, propagation: "background" } as const;
    return removeTarget(this.ports, limits === undefined ? input : { ...input, limits }, this.signal);
  }

  /** A plain request as the admin, parsed; undefined on 404. */
  async send(
    method: KubeRequest["method"],
    path: string,
    body?: unknown,
    contentType?: string,
  ): Promise<KubeObject | undefined> {
    const request = { method, path, body, ...(contentType === undefined ? {} : { contentType }) };
    const answer = await this.client.send(request, this.signal);
    if (answer.status === 404) return undefined;
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
    return answer.body as KubeObject;
  }

  get(path: string): Promise<KubeObject | undefined> {
    return this.send("GET", path);
  }

  patch(path: string, body: unknown): Promise<KubeObject | undefined> {
    return this.send("PATCH", path, body, "application/merge-patch+json");
  }

  /** The agent's namespace and an account that may do everything. */
  async prepare(): Promise<void> {
    await this.namespace(adminAccount.namespace);
    await this.#create("/apis/rbac.authorization.k8s.io/v1/clusterrolebindings", {
      metadata: { name: "deployer" },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
      subjects: [{ kind: "ServiceAccount", ...adminAccount }],
    });
  }

  namespace(name: string): Promise<void> {
    return this.#create("/api/v1/namespaces", { metadata: { name } });
  }

  async #create(path: string, body: unknown): Promise<void> {
    const answer = await this.client.send({ method: "POST", path, body }, this.signal);
    if (answer.status !== 201 && answer.status !== 409) throw new Error(JSON.stringify(answer.body));
  }

  stop(): void {
    this.#live.abort();
    this.client.close();
  }
}

/** A ConfigMap's manifest. */
export function configMap(name: string, data: Record<string, string> = { key: "value" }, namespace?: string): unknown {
  const metadata = namespace === undefined ? { name } : { name, namespace };
  return { apiVersion: "v1", kind: "ConfigMap", metadata, data };
}

/** A Deployment's manifest with one container. */
export function deployment(name: string, image = "nginx:1", replicas = 1): unknown {
  const labels = { app: name };
  const containers = [{ name: "main", image, ports: [{ containerPort: 80 }] }];
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, labels },
    spec: { replicas, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers } } },
  };
}
