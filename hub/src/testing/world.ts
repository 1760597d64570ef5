import { create } from "@bufbuild/protobuf";
import { type Digest, digestHex, Fault } from "@capstan/proto";
import { SealedKeySchema } from "@capstan/proto/desired";
import { FakeClock, seededChance } from "@capstan/proto/testing";
import { compileConfig } from "../config/compile.ts";
import type { BundleVault, DesiredCrypto } from "../distribution/port.ts";
import { IncrementalGenerator } from "../generators/incremental.ts";
import { Hub } from "../hub.ts";
import type { ApiClient } from "../listings/port.ts";
import { appSigner } from "../platform/api/github-app.ts";
import { gunzip, gzip, sha256Digest, sha256Hex, tokenCrypto } from "../platform/crypto/digests.ts";
import { roomStores } from "../platform/stores/rooms.ts";
import { rootReader } from "../platform/stores/roots.ts";
import { defaultRenderLimits } from "../render/model.ts";
import { prepareRender } from "../render/render.ts";
import type { Answer } from "../rollout/gate-verbs.ts";
import type { Errand } from "../rollout/model.ts";
import { MemoryStore } from "../store/memory.ts";
import type { Continuity } from "../store/port.ts";
import { TemplateEngine } from "../template/engine.ts";
import type { HubPorts } from "../wiring/ports.ts";
import { MemorySources } from "./memory-sources.ts";
import { TestAgent } from "./test-agent.ts";

/** Where the documents and the manifests of a test fleet stand. */
export const fleetRepository = "https://git.example.com/fleet.git";

const fleet = "11111111-1111-4111-8111-111111111111";

/** A signature that anybody can check and nobody forges by accident. */
const crypto: DesiredCrypto = {
  gzip,
  gunzip,
  sign: (bytes) => ({ keyId: "k", signature: new TextEncoder().encode(sha256Digest(bytes)) }),
  verify: (bytes, { signature }) => new TextDecoder().decode(signature) === sha256Digest(bytes),
  sha256: sha256Digest,
  seal: () => create(SealedKeySchema, { sealed: new Uint8Array(48) }),
};

/**
 * A whole hub core over a store in memory and a clock that the test moves: everything is real but Git, Kubernetes, the
 * network and the tools. `restart` makes a new hub over the same store, as after a kill.
 */
export class World {
  readonly clock = new FakeClock();
  readonly sources = new MemorySources();
  /** What servers outside answer; a test sets it. */
  readonly api: ApiClient = { send: (request, signal) => this.answer(request, signal) };
  answer: ApiClient["send"] = async () => ({ status: 404, headers: {}, body: "" });
  readonly agents = new Map<string, TestAgent>();
  /** What the hub wrote to its log: `level message`. */
  readonly log: string[] = [];
  /** What the world says to gates, by their names. */
  readonly answers = new Map<string, Answer>();
  store = new MemoryStore({ now: () => this.clock.now() });
  hub: Hub;
  readonly #generator = new IncrementalGenerator(new TemplateEngine());
  #files: Record<string, string> = {};
  #epoch = 0n;
  #stop = new AbortController();
  #leading: Promise<void> = Promise.resolve();

  constructor() {
    this.hub = this.#newHub();
  }

  /** Sets files of the fleet's repository (null: removes one) and commits them. */
  commit(files: Readonly<Record<string, string | null>>, subject = "change"): void {
    for (const [path, text] of Object.entries(files)) {
      if (text === null) delete this.#files[path];
      else this.#files[path] = text;
    }
    this.sources.commit(fleetRepository, { ...this.#files }, subject);
  }

  /** Begins a term of the present hub. */
  async lead(): Promise<void> {
    this.#epoch += 1n;
    this.#stop = new AbortController();
    this.#leading = this.hub.lead(
      { shard: "0", hub: "test", epoch: this.#epoch, nonce: `${this.#epoch}` },
      this.#stop.signal,
    );
    await this.settle();
  }

  /** Ends the term; the hub stays. */
  async yields(): Promise<void> {
    this.#stop.abort();
    await this.clock.advance(0);
    await this.#leading;
  }

  /** A new hub over the same store, as after a kill: nothing that was only in memory is left. Agents come back. */
  async restart(store = this.store): Promise<void> {
    this.#stop.abort();
    for (const agent of this.agents.values()) agent.disconnect();
    await this.clock.advance(0);
    await this.#leading;
    this.store = store;
    this.hub = this.#newHub();
    await this.lead();
  }

  /** A store that lost everything, or was set back. */
  emptyStore(continuity: Continuity): MemoryStore {
    return new MemoryStore({ now: () => this.clock.now(), continuity });
  }

  /** An agent of this cluster, connected. Its identity is enrolled by its first hello. */
  async join(...clusters: readonly string[]): Promise<TestAgent> {
    for (const cluster of clusters) {
      const agent = new TestAgent(cluster, () => ({
        crypto,
        session: (peer, requests, signal) => this.hub.session(peer, requests, signal),
        desired: async (id) => (await this.store.state.get(`desired.${id}`, AbortSignal.timeout(1000)))?.value,
      }));
      this.agents.set(cluster, agent);
      agent.connect();
    }
    await this.settle();
    return this.agent(clusters.at(-1) ?? "");
  }

  agent(cluster: string): TestAgent {
    const agent = this.agents.get(cluster);
    if (agent === undefined) throw new Error(`no agent ${cluster}`);
    return agent;
  }

  /** All agents say hello to the present hub. */
  async reconnect(): Promise<void> {
    for (const agent of this.agents.values()) agent.connect();
    await this.settle();
  }

  /** Lets the hub do all that it can do within a short time; `ms` more pass. */
  async settle(ms = 3000): Promise<void> {
    await this.clock.advance(ms);
  }

  /** What each cluster's agent holds: `CLUSTER TARGET` → bundle digest. */
  holds(): Record<string, string> {
    return Object.fromEntries(
      [...this.agents].flatMap(([cluster, agent]) =>
        Object.entries(agent.holds()).map(([target, digest]) => [`${cluster} ${target}`, digest] as const),
      ),
    );
  }

  async end(): Promise<void> {
    this.#stop.abort();
    for (const agent of this.agents.values()) agent.disconnect();
    await this.clock.advance(0);
    await this.#leading;
  }

  async #gates({ work }: Errand): Promise<Answer> {
    return this.answers.get(work.name) ?? { verdict: "unclear", text: "nobody answers" };
  }

  #newHub(): Hub {
    const { state, records } = this.store;
    const config = compileConfig(
      `roots: [{ name: fleet, repoURL: "${fleetRepository}", path: documents }]\ndefaults: { stableFor: 1s }`,
      "test.yaml",
    );
    return new Hub({
      clock: this.clock,
      chance: seededChance(Number(this.#epoch) + 1),
      version: "test",
      fleet,
      config,
      sources: this.sources,
      roots: rootReader(this.sources),
      servers: {
        client: this.api,
        secrets: { read: async (reference) => ("env" in reference ? reference.env : reference.file) },
        signer: appSigner,
      },
      generate: (input) => this.#generator.generate(input),
      renderer: renderer(),
      crypto,
      vault: plainVault(this.store),
      shelf: this.store.bundles,
      gates: { ask: (errand) => this.#gates(errand) },
      hints: this.store.hints,
      memory: this.store.memory,
      desk: desk(),
      stores: roomStores(state, records),
      log: (level, text) => void this.log.push(`${level} ${text}`),
    });
  }
}

function renderer(): HubPorts["renderer"] {
  const missing = () => Promise.reject(new Fault("tool-missing", { message: "this world has no tools." }));
  const tools = {
    versions: async () => ({ helm: "none", kustomize: "none" }),
    helm: missing,
    kustomize: missing,
    jsonnet: missing,
  };
  const ports = { tools, sha256: sha256Hex, limits: defaultRenderLimits };
  return {
    key: async (request, signal) => (await prepareRender(request, ports, signal)).key,
    prepare: (request, signal) => prepareRender(request, ports, signal),
  };
}

/** Bundles as they are: what is stored is not read by these agents. */
function plainVault(store: MemoryStore): BundleVault {
  return {
    async store(digest, content, signal) {
      await store.bundles.put(digestHex(digest), [content], signal);
      return { digest, size: content.length, chunks: 1, keyId: "s" };
    },
    read: async (digest: Digest, signal) => (await store.bundles.get(digestHex(digest), signal))?.[0],
    has: (digest, signal) => store.bundles.has(digestHex(digest), signal),
    forget: () => undefined,
  };
}

/** Identities are proved elsewhere: here everybody is who it says it is. */
function desk(): HubPorts["desk"] {
  const refuse = () => {
    throw new Fault("internal", { message: "no identity is made in this world." });
  };
  return {
    authority: {
      fleet,
      pin: "",
      cas: [],
      roots: () => [],
      trusted: () => [],
      retire: () => undefined,
      reload: async () => undefined,
      issue: refuse,
      inspect: refuse,
      identify: refuse,
      possesses: () => false,
    },
    signer: {
      sign: crypto.sign,
      verify: crypto.verify,
      keys: () => [],
      endorsements: () => [],
      current: () => "",
      use: () => undefined,
      reload: async () => undefined,
    },
    users: { issue: refuse, revoke: async () => undefined, urls: () => [] },
    crypto: tokenCrypto,
    endpoints: [],
    onRoots: async () => undefined,
  };
}

/** A cluster as a document. */
export function clusterDocument(id: string, labels: Readonly<Record<string, string>> = { env: "prod" }): string {
  const lines = Object.entries(labels).map(([key, value]) => `    ${key}: "${value}"`);
  return `apiVersion: capstan.dev/v1\nkind: Cluster\nmetadata:\n  name: ${id}\n  labels:\n${lines.join("\n")}\n`;
}

/** What a test sets of a set; all else is plain. */
export interface SetWish {
  readonly path?: string;
  readonly automated?: boolean;
  readonly prune?: boolean;
  readonly spec?: string;
  readonly names?: string;
}

/** A set that brings one directory to each cluster with `env: prod`. */
export function setDocument(name: string, wish: SetWish = {}): string {
  const { path = `apps/${name}`, automated = true, prune = true, spec = "", names = `${name}-{{name}}` } = wish;
  const finalizers = prune ? "\n      finalizers: [resources-finalizer.argocd.argoproj.io]" : "";
  const policy = automated ? "\n      syncPolicy: { automated: { prune: true, selfHeal: true } }" : "";
  return `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata:
  name: ${name}
spec:
${spec}  generators:
    - clusters:
        selector: { matchLabels: { env: prod } }
  template:
    metadata:
      name: "${names}"${finalizers}
    spec:
      project: default
      source: { repoURL: "${fleetRepository}", path: "${path}", targetRevision: main }
      destination: { name: "{{name}}", namespace: web }${policy}
`;
}

/** A manifest that differs by its text. */
export function manifest(name: string, text: string): string {
  return `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  text: "${text}"\n`;
}

/** Ids of clusters `a`, `b`, … */
export function clusterIds(count: number): string[] {
  return Array.from({ length: count }, (_, index) => String.fromCharCode(97 + index));
}

/** Documents of these clusters, by path. */
export function clusterDocuments(...ids: readonly string[]): Record<string, string> {
  return Object.fromEntries(ids.map((id) => [`documents/clusters/${id}.yaml`, clusterDocument(id)]));
}

/** A fleet of clusters `a`, `b`, … whose set `web` has been rolled out; more files go into the first commit. */
export async function fleetOf(
  count: number,
  wish: SetWish = {},
  files: Readonly<Record<string, string>> = {},
): Promise<World> {
  const world = new World();
  const ids = clusterIds(count);
  world.commit({
    ...clusterDocuments(...ids),
    "documents/web.yaml": setDocument("web", wish),
    "apps/web/web.yaml": manifest("web", "one"),
    ...files,
  });
  await world.lead();
  await world.join(...ids);
  await world.settle(30_000);
  return world;
}
