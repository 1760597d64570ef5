import { type KubeAccess, KubeClient, type KubeEvent, type KubeObject } from "./kube-client.ts";
import { type Pace, type Progress, podProgress, progressOf } from "./simulated-api-server/workloads.ts";

/** How to stand in for what a test cluster lacks. */
export interface ActorInit {
  readonly access: KubeAccess;
  readonly pace: Pace;
  /**
   * `all`: there is no kube-controller-manager; write the status of workloads and make their Pods. `pods`: there is one;
   * write only what a kubelet would.
   */
  readonly part: "all" | "pods";
}

const workloads = [
  "/apis/apps/v1/deployments",
  "/apis/apps/v1/statefulsets",
  "/apis/apps/v1/daemonsets",
  "/apis/batch/v1/jobs",
  "/api/v1/services",
  "/api/v1/persistentvolumeclaims",
  "/apis/networking.k8s.io/v1/ingresses",
];
const plurals: Readonly<Record<string, string>> = { Pod: "/api/v1|pods", ReplicaSet: "/apis/apps/v1|replicasets" };
const restartAfter = 200;

/**
 * Stands in for controllers and kubelets on a real API server: sound workloads become ready after a while, those with an
 * image whose name contains `broken` crash. It acts on every change that it is told of, as the simulated API server does.
 */
export class WorkloadActor implements AsyncDisposable {
  readonly #client: KubeClient;
  readonly #init: ActorInit;
  readonly #stop = new AbortController();
  readonly #changedAt = new Map<string, { readonly generation: unknown; readonly at: number }>();
  readonly #timers = new Map<string, NodeJS.Timeout>();
  readonly #children = new Map<string, ReadonlySet<string>>();
  readonly #turns = new Map<string, Promise<void>>();
  #watches: readonly Promise<void>[] = [];
  #refusal = "";

  private constructor(init: ActorInit) {
    this.#init = init;
    this.#client = new KubeClient(init.access);
  }

  static start(init: ActorInit): WorkloadActor {
    const self = new WorkloadActor(init);
    const collections = init.part === "all" ? workloads : ["/api/v1/pods"];
    self.#watches = collections.map((collection) => self.#follow(collection));
    return self;
  }

  /** What the server refused last; empty when nothing was. */
  get lastRefusal(): string {
    return this.#refusal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#client[Symbol.dispose](); // first: a paused server answers nothing that is under way
    await Promise.all(this.#watches);
    await Promise.all(this.#turns.values());
  }

  async #follow(collection: string): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await this.#client.watch(collection, (event) => this.#hear(collection, event), signal);
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, restartAfter)); // the server may be down
    }
  }

  #hear(collection: string, { type, object }: KubeEvent): void {
    if (type === "ERROR" || type === "BOOKMARK") return;
    const path = pathIn(collection, object);
    if (type === "DELETED") {
      clearTimeout(this.#timers.get(path));
      this.#changedAt.delete(path);
      this.#inTurn(path, () => this.#keepChildren(path, []));
      return;
    }
    const generation = object.metadata.generation ?? 0;
    if (this.#changedAt.get(path)?.generation === generation) return;
    this.#changedAt.set(path, { generation, at: performance.now() });
    this.#inTurn(path, () => this.#act(path));
  }

  /** One thing at a time for each object; what the server refuses is tried again at the object's next change. */
  #inTurn(path: string, act: () => Promise<void>): void {
    const before = this.#turns.get(path) ?? Promise.resolve();
    const turn = before.then(act).catch((error: unknown) => {
      this.#refusal = error instanceof Error ? error.message : String(error);
    });
    this.#turns.set(path, turn);
  }

  async #act(path: string): Promise<void> {
    if (this.#stop.signal.aborted) return;
    const object = await this.#client.get(path);
    const changed = this.#changedAt.get(path);
    if (object === undefined || changed === undefined) return;
    const moment = { age: performance.now() - changed.at, time: new Date().toISOString().replace(/\.\d+Z$/, "Z") };
    const progress = this.#progress(object, moment);
    if (progress === undefined) return;
    await this.#writeStatus(path, object, progress.status);
    await this.#keepChildren(path, progress.children);
    if (progress.next === undefined) return;
    clearTimeout(this.#timers.get(path));
    this.#timers.set(
      path,
      setTimeout(() => this.#inTurn(path, () => this.#act(path)), progress.next + 1),
    );
  }

  /** Without a resourceVersion, so that others' writes in between do not matter. */
  async #writeStatus(path: string, object: KubeObject, status: unknown): Promise<void> {
    const { resourceVersion: _any, managedFields: _kept, ...metadata } = object.metadata;
    await this.#client.update(`${path}/status?fieldManager=kube-controller-manager`, { ...object, metadata, status });
  }

  #progress(object: KubeObject, moment: { readonly age: number; readonly time: string }): Progress | undefined {
    return this.#init.part === "pods"
      ? podProgress(object, moment, this.#init.pace)
      : progressOf(object, moment, this.#init.pace);
  }

  /** Makes these the only children that this actor made for the object. */
  async #keepChildren(path: string, children: readonly KubeObject[]): Promise<void> {
    const paths = new Set<string>();
    const uids = new Map<string, string>();
    for (const child of children) {
      const childPath = childPathOf(child);
      paths.add(childPath);
      const { status, ...body } = withOwnerUid(child, uids);
      const stored =
        (await this.#client.get(childPath)) ?? (await this.#client.apply(childPath, body, "kube-controller-manager"));
      uids.set(child.metadata.name, stored.metadata.uid ?? "");
      await this.#writeStatus(childPath, stored, status);
    }
    for (const old of this.#children.get(path) ?? []) {
      if (!paths.has(old)) await this.#client.delete(`${old}?gracePeriodSeconds=0`);
    }
    this.#children.set(path, paths);
  }
}

function pathIn(collection: string, object: KubeObject): string {
  const slash = collection.lastIndexOf("/");
  const { namespace, name } = object.metadata;
  return `${collection.slice(0, slash)}/namespaces/${namespace}${collection.slice(slash)}/${name}`;
}

function childPathOf(child: KubeObject): string {
  const [base, plural] = (plurals[child.kind] ?? "").split("|");
  return `${base}/namespaces/${child.metadata.namespace}/${plural}/${child.metadata.name}`;
}

/** A child whose owner was itself made a moment ago learns the owner's uid. */
function withOwnerUid(child: KubeObject, uids: ReadonlyMap<string, string>): KubeObject {
  const owners = child.metadata["ownerReferences"] as readonly { readonly name: string; readonly uid: string }[];
  const ownerReferences = owners.map((owner) =>
    owner.uid === "" ? { ...owner, uid: uids.get(owner.name) ?? "" } : owner,
  );
  return { ...child, metadata: { ...child.metadata, ownerReferences } };
}
