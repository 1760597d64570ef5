import { type DesiredState, Removal } from "@capstan/proto/desired";
import type { NatsConnection } from "nats";
import type { WorldCluster } from "./cluster.ts";
import type { History } from "./history.ts";
import type { DeletionCause } from "./history-check.ts";
import { agentNamespace, cacheHead, openDesired, readHolding } from "./holdings.ts";
import { connectHubStore } from "./hub-store.ts";
import type { KubeEvent, KubeObject } from "./kube-client.ts";
import type { World } from "./world.ts";

/** Kinds whose deletions are recorded: what the sample repository holds. */
const watched = ["/api/v1/configmaps", "/api/v1/services", "/api/v1/resourcequotas", "/apis/apps/v1/deployments"];
const secrets = `/api/v1/namespaces/${agentNamespace}/secrets`;
const owner = "capstan.dev/owner";
const restartAfter = 50;

/**
 * Writes down while a scenario runs what the hub signs, what each agent takes as its own, and which managed objects go.
 * It looks from outside: at the store's traffic and at the clusters. Begin it before the first join.
 */
export class Recorder implements AsyncDisposable {
  readonly #history: History;
  readonly #stop = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  readonly #signed = new Map<string, DesiredState>();
  #store: NatsConnection | undefined;

  private constructor(history: History) {
    this.#history = history;
  }

  /** With a connection of its own to an external store, which it then ends; else to the hub's embedded one. */
  static async start(world: World, store?: NatsConnection): Promise<Recorder> {
    const self = new Recorder(world.history);
    self.#store = store ?? (await connectHubStore(world.hub));
    self.#work.push(self.#hearSigned(self.#store));
    await self.#store.flush();
    for (const cluster of world.clusters.values()) {
      self.#work.push(self.#followAgent(cluster));
      for (const kind of watched) self.#work.push(self.#followObjects(cluster, kind));
    }
    return self;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#store?.close();
    await Promise.all(this.#work);
  }

  /** All that was signed and sent to the store, whether or not the store took it. */
  async #hearSigned(store: NatsConnection): Promise<void> {
    for await (const { data } of store.subscribe("$KV.state.desired.*")) {
      if (data.length === 0) continue; // the key was purged
      const state = openDesired(data);
      this.#signed.set(state.cluster, state);
      this.#history.record({
        kind: "desired",
        cluster: state.cluster,
        revision: Number(state.revision),
        epoch: Number(state.epoch),
        targets: targetsOf(state).map((one, at) => ({ ...one, prune: state.targets[at]?.policy?.prune === true })),
        tombstones: state.tombstones.map(({ namespace, name, removal }) => ({
          target: `${namespace}/${name}`,
          keep: removal === Removal.KEEP,
        })),
      });
    }
  }

  async #followAgent(cluster: WorldCluster): Promise<void> {
    let last = -1n;
    let turn = Promise.resolve();
    await this.#follow(cluster, secrets, ({ type, object }) => {
      if (type === "DELETED" || object.metadata.name !== cacheHead) return;
      turn = turn.then(async () => {
        const held = await readHolding(cluster.client, object);
        if (held?.desired === undefined || held.desired.revision === last) return;
        last = held.desired.revision;
        const { revision } = held.desired;
        const targets = targetsOf(held.desired);
        this.#history.record({ kind: "applied", cluster: cluster.id, revision: Number(revision), targets });
      });
      turn = turn.catch(() => undefined); // the cluster went away; its next head says all
    });
    await turn;
  }

  async #followObjects(cluster: WorldCluster, kind: string): Promise<void> {
    await this.#follow(cluster, kind, ({ type, object }) => {
      const target = object.metadata.annotations?.[owner];
      if (type !== "DELETED" || target === undefined) return;
      const cause = this.#causeOf(cluster.id, target);
      this.#history.record({ kind: "deleted", cluster: cluster.id, object: keyOf(object), cause });
    });
  }

  #causeOf(cluster: string, target: string): DeletionCause {
    const state = this.#signed.get(cluster);
    const named = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}` === target;
    if (state?.tombstones.some(named) === true) return { kind: "tombstone", target };
    const found = state?.targets.find(named);
    return found === undefined ? { kind: "unknown" } : { kind: "prune", target, generation: Number(found.generation) };
  }

  async #follow(cluster: WorldCluster, path: string, hear: (event: KubeEvent) => void): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await cluster.client.watch(path, (event) => event.type !== "ERROR" && hear(event), signal);
      if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, restartAfter)); // the server may be down
    }
  }
}

function targetsOf(state: DesiredState) {
  return state.targets.map(({ namespace, name, generation, bundle }) => ({
    target: `${namespace}/${name}`,
    generation: Number(generation),
    digest: bundle?.digest ?? "",
  }));
}

function keyOf({ apiVersion, kind, metadata }: KubeObject): string {
  return `${apiVersion}/${kind} ${metadata.namespace ?? ""}/${metadata.name}`;
}
