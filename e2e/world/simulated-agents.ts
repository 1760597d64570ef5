import { type Behaviour, SimulatedAgent } from "./simulated-agents-agent.ts";
import { notYet, until } from "./wait.ts";

/** A herd to make. */
export interface SimulatedAgentsInit {
  /** `host:port` of the hub's gRPC. */
  readonly hub: string;
  /** Join tokens by cluster id. */
  readonly tokens: ReadonlyMap<string, string>;
  readonly behaviour?: Partial<Behaviour>;
  /** Enrolments at once; 32 by default. */
  readonly width?: number;
}

/**
 * Many agents in this process. Each has its own keys, mTLS session and NATS connection and speaks the protocol for real:
 * only the cluster behind it is made up. They import nothing of the products but the contract.
 */
export class SimulatedAgents implements AsyncDisposable {
  readonly #agents: ReadonlyMap<string, SimulatedAgent>;
  /** What no agent should ever see. */
  readonly faults: string[];
  #rest: readonly ((cluster: string, revision: bigint) => void)[] = [];

  private constructor(agents: ReadonlyMap<string, SimulatedAgent>, faults: string[]) {
    this.#agents = agents;
    this.faults = faults;
  }

  /** Enrols all, and begins their sessions. */
  static async start(init: SimulatedAgentsInit): Promise<SimulatedAgents> {
    const faults: string[] = [];
    const herd: { self: SimulatedAgents | undefined } = { self: undefined };
    const behaviour: Behaviour = {
      onFault: (cluster, fault) => faults.push(`${cluster}: ${fault.message}`),
      ...init.behaviour,
      onHeld: (cluster, revision) => {
        init.behaviour?.onHeld?.(cluster, revision);
        for (const listener of herd.self?.listeners ?? []) listener(cluster, revision);
      },
    };
    const agents = new Map(
      [...init.tokens.keys()].map((cluster) => [cluster, new SimulatedAgent({ cluster, hub: init.hub, behaviour })]),
    );
    const self = new SimulatedAgents(agents, faults);
    herd.self = self;
    const waiting = [...init.tokens];
    const worker = async () => {
      for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
        const agent = self.agent(next[0]);
        await agent.enroll(next[1]);
        agent.start();
      }
    };
    await Promise.all(Array.from({ length: init.width ?? 32 }, worker));
    return self;
  }

  get listeners(): readonly ((cluster: string, revision: bigint) => void)[] {
    return this.#rest;
  }

  get size(): number {
    return this.#agents.size;
  }

  all(): IterableIterator<SimulatedAgent> {
    return this.#agents.values();
  }

  agent(cluster: string): SimulatedAgent {
    const agent = this.#agents.get(cluster);
    if (agent === undefined) throw new Error(`there is no simulated agent ${cluster}`);
    return agent;
  }

  /** Told the moment that an agent holds a revision. Returns how to stop. */
  onHeld(listener: (cluster: string, revision: bigint) => void): () => void {
    this.#rest = [...this.#rest, listener];
    return () => {
      this.#rest = this.#rest.filter((each) => each !== listener);
    };
  }

  /** How many the hub has welcomed. */
  get connected(): number {
    return [...this.all()].filter(({ connected }) => connected).length;
  }

  /** Waits until `share` of them (all by default) are welcomed. */
  async untilConnected(bound: number, share = 1): Promise<void> {
    const needed = Math.ceil(this.size * share);
    await until(`${needed} sessions`, () => this.connected >= needed || notYet(this.connected), bound);
  }

  /** Waits until every report is acknowledged. */
  async untilQuiet(bound: number): Promise<void> {
    const loud = () => [...this.all()].filter(({ outbox }) => !outbox.quiet).length;
    await until("acknowledged reports", () => loud() === 0 || notYet(loud()), bound);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.all()].map((agent) => agent.stop()));
  }
}
