import { type DesiredState, Removal } from "@capstan/proto/desired";
import type { NatsConnection } from "nats";
import type { WorldCluster } from "./cluster.ts";
import type { History } from "./history.ts";
import type { DeletionCause } from "./history-check.ts";
import { agentNamespace, cacheHead, inventoriesOf, openDesired, readHolding } from "./holdings.ts";
import { connectHubStore } from "./hub-store.ts";
import type { KubeEvent, KubeObject } from "./kube-client.ts";
import type { World } from "./world.ts";
import { WriteRecorder } from "./write-recorder.ts";

const secrets = `/api/v1/namespaces/${agentNamespace}/secrets`;
const owner = "capstan.dev/owner";
const restartAfter = 50;

/**
 * Writes down while a scenario runs what hubs write and sign, what each agent takes as its own, and which managed objects
 * go, of every kind that an agent's inventories name. It looks from outside: at the store's traffic and at the clusters. Begin it before the first join.
 */
export class Recorder implements AsyncDisposable {
  readonly #history: History;
  readonly #world: World;
  readonly #digests = new Set<string>();
  readonly #stop = new AbortController();
  readonly #work: Promise<unknown>[] = [];
  readonly #signed = new Map<string, DesiredState>();
  #store: NatsConnection | undefined;

  private constructor(world: World) {
    this.#world = world;
    this.#history = world.history;
  }

  /** With a connection of its own to an external store, which it then ends; else to the hub's embedded one. */
  static async start(world: World, store?: NatsConnection): Promise<Recorder> {
    const self = new Recorder(world);
    self.#store = store ?? (await connectHubStore(world.hub));
    self.#work.push(self.#hearSigned(self.#store), new WriteRecorder(world.history).hear(self.#store));
    await self.#store.flush();
    for (const cluster of world.clusters.values()) {
      self.#work.push(self.#followAgent(cluster));
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
      for (const { namespace, name, bundle } of state.targets) {
        if (bundle !== undefined) this.#work.push(this.#openBundle(`${namespace}/${name}`, bundle.digest));
      }
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

  /** Asks the hub, until it tells of this bundle, what the target holds; a bundle that is gone meanwhile stays unknown. */
  async #openBundle(name: string, digest: string): Promise<void> {
    if (this.#digests.has(digest)) return;
    this.#digests.add(digest);
    for (let tries = 0; tries < 20 && !this.#stop.signal.aborted; tries += 1) {
      try {
        const { applications } = await this.#world.hub.client();
        const held = await applications.renderTarget({ name }, { deadline: Date.now() + 2_000 });
        if (held.digest === digest) {
          this.#history.record({ kind: "bundle", digest, objects: objectsOf(held.yaml) });
          return;
        }
      } catch {
        // The hub is away, or has not got so far.
      }
      await new Promise((resolve) => setTimeout(resolve, 10 * restartAfter));
    }
  }

  async #followAgent(cluster: WorldCluster): Promise<void> {
    let last = -1n;
    let turn = Promise.resolve();
    const kinds = new Map<string, Promise<void>>();
    await this.#follow(cluster, secrets, ({ type, object }) => {
      if (type === "DELETED") return;
      for (const kind of inventoriesOf(object)) {
        if (!kinds.has(kind)) kinds.set(kind, this.#followKind(cluster, kind));
      }
      if (object.metadata.name !== cacheHead) return;
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
    await Promise.all([turn, ...kinds.values()]);
  }

  /** Follows all objects of `VERSION GROUP/KIND` once the server serves it; that may be after its definition is applied. */
  async #followKind(cluster: WorldCluster, kind: string): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const path = await collectionOf(cluster, kind).catch(() => undefined);
      if (path !== undefined) return this.#followObjects(cluster, path);
      await new Promise((resolve) => setTimeout(resolve, restartAfter));
    }
  }

  async #followObjects(cluster: WorldCluster, kind: string): Promise<void> {
    await this.#follow(cluster, kind, ({ type, object }) => {
      const target = object.metadata.annotations?.[owner];
      if (type !== "DELETED" || target === undefined) return;
      const { namespace, name } = object.metadata;
      const path = namespace === undefined ? kind : kind.replace(/[^/]*$/, `namespaces/${namespace}/$&`);
      const byHand = cluster.client.deleted.has(`${path}/${name}`);
      const cause = byHand ? ({ kind: "person" } as const) : this.#causeOf(cluster.id, target);
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

/** Keys of the objects in YAML as the hub writes it: in blocks, with what belongs to an object's own fields indented. */
function objectsOf(yaml: string): string[] {
  return yaml.split(/^---$/m).flatMap((text) => {
    const metadata = /^metadata:\n((?: .*\n|\n)*)/m.exec(`${text}\n`)?.[1] ?? "";
    const [apiVersion, kind] = [scalar(text, /^apiVersion: (.*)$/m), scalar(text, /^kind: (.*)$/m)];
    const [name, namespace] = [scalar(metadata, /^ {2}name: (.*)$/m), scalar(metadata, /^ {2}namespace: (.*)$/m)];
    return name === "" ? [] : [`${apiVersion}/${kind} ${namespace}/${name}`];
  });
}

function scalar(text: string, pattern: RegExp): string {
  return (pattern.exec(text)?.[1] ?? "").replace(/^["'](.*)["']$/, "$1");
}

/** Path of all objects of `VERSION GROUP/KIND`; undefined where the server does not serve it. */
async function collectionOf({ client }: WorldCluster, text: string): Promise<string | undefined> {
  const [version = "", name = ""] = text.split(" ");
  const [group = "", kind = ""] = name.split("/");
  const base = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const found = await client.get<{ readonly resources?: readonly Resource[] }>(base);
  const resource = found?.resources?.find((one) => one.kind === kind && !one.name.includes("/"));
  return resource === undefined ? undefined : `${base}/${resource.name}`;
}

interface Resource {
  readonly name: string;
  readonly kind: string;
}
