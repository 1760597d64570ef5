import { randomUUID } from "node:crypto";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { backoffDelay, features, protocol } from "@capstan/proto";
import {
  AgentService,
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  Health,
  Phase,
  Sync,
  TargetReportSchema,
} from "@capstan/proto/agent";
import type { DesiredTarget } from "@capstan/proto/desired";
import { type Client, type ClientDuplexStream, Metadata } from "@grpc/grpc-js";
import { callUnary, findCa, openHub, wireOf } from "./simulated-agents-calls.ts";
import { type AgentIdentity, makeKeys } from "./simulated-agents-keys.ts";
import { NatsReader } from "./simulated-agents-nats.ts";
import { ReportOutbox } from "./simulated-agents-outbox.ts";
import { accept, type HeldState } from "./simulated-agents-state.ts";

/** What becomes of a target that a simulated agent is given. */
export interface Fate {
  /** Milliseconds from taking the state to the report. */
  readonly afterMs: number;
  readonly phase: Phase;
  readonly health: Health;
  /** Cause, where it is not healthy. */
  readonly message?: string;
}

/** How simulated agents behave. */
export interface Behaviour {
  /** Healthy at once by default. */
  readonly fate?: (cluster: string, target: DesiredTarget) => Fate;
  /**
   * Whether this agent decrypts and checks every new bundle that it fetches; all do by default. A thousand in one process
   * have one core for what a thousand clusters do side by side, so benches let one in twenty.
   */
  readonly opens?: (cluster: string) => boolean;
  /** Milliseconds between two batches of reports; 1,000 by default, as a real agent's. */
  readonly paceMs?: number;
  /** Told the moment that an agent holds a revision. */
  readonly onHeld?: (cluster: string, revision: bigint) => void;
  /** What an agent must never see: a refused state, a bundle that does not open. */
  readonly onFault: (cluster: string, fault: Error) => void;
}

const healthy: Fate = { afterMs: 0, phase: Phase.DONE, health: Health.HEALTHY };
const backoff = { base: 500, factor: 2, cap: 15_000 };
const enrolTries = 5;
/** A session that is not welcomed for so long, in ms, is given up, as a real agent does. */
const welcomePatience = 10_000;

/** One agent without a cluster: real keys, a real session and a real NATS connection, and nothing behind them. */
export class SimulatedAgent {
  readonly cluster: string;
  readonly incarnation = randomUUID();
  readonly outbox: ReportOutbox;
  readonly #hub: string;
  readonly #behaviour: Behaviour;
  #bootId = randomUUID();
  #identity: AgentIdentity | undefined;
  #client: Client | undefined;
  #stream: ClientDuplexStream<ConnectRequest, ConnectResponse> | undefined;
  #nats: NatsReader | undefined;
  #held: HeldState | undefined;
  #highWater = 0n;
  #generations = new Map<string, bigint>();
  #digests = new Set<string>();
  #timers = new Set<NodeJS.Timeout>();
  #heartbeat: NodeJS.Timeout | undefined;
  #stopped = true;
  #failed = 0;
  /** Whether the hub has welcomed the present session. */
  connected = false;
  /** Sessions tried so far. */
  attempts = 0;
  /** Why its last session ended. */
  lastEnd = "";
  /** Sessions given up because no welcome came. */
  unanswered = 0;

  constructor(init: { readonly cluster: string; readonly hub: string; readonly behaviour: Behaviour }) {
    this.cluster = init.cluster;
    this.#hub = init.hub;
    this.#behaviour = init.behaviour;
    const paceMs = init.behaviour.paceMs ?? 1_000;
    this.outbox = new ReportOutbox({
      paceMs,
      send: (value) => this.connected && this.#send({ case: "reports", value }),
    });
  }

  /** The revision that it holds; 0: none. */
  get revision(): bigint {
    return this.#held?.state.revision ?? 0n;
  }

  get held(): HeldState | undefined {
    return this.#held;
  }

  /** Joins with a token, on a connection of its own. */
  async enroll(token: string): Promise<void> {
    const pin = token.trim().split(".").at(-1) ?? "";
    const keys = await makeKeys();
    const ca = await findCa(this.#hub, pin);
    const client = openHub(this.#hub, { ca: [ca] });
    const request = {
      token: token.trim(),
      cluster: this.cluster,
      incarnation: this.incarnation,
      csr: keys.csr,
      natsPublicKey: keys.natsPublic,
      sealingPublicKey: keys.sealingPublic,
      versions: versions(),
    };
    try {
      const answer = await this.#patiently(() => callUnary(client, AgentService.method.enroll, { request }));
      if (answer.credential === undefined) throw new Error(`${this.cluster} got no credential`);
      this.#identity = { fleet: answer.fleet, keys, credential: answer.credential };
    } finally {
      client.close();
    }
  }

  /** Begins its sessions, on both ways; they come back by themselves until `stop`. */
  start(): void {
    const identity = this.#identity;
    if (identity === undefined) throw new Error(`${this.cluster} has not enrolled`);
    this.#stopped = false;
    this.#nats = new NatsReader({
      cluster: this.cluster,
      identity,
      take: (signed) => this.#take(signed),
      fault: (fault) => this.#behaviour.onFault(this.cluster, fault),
    });
    this.#nats.start();
    this.#dial(identity);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#over();
    await this.#nats?.stop();
  }

  /** A restart of the process: what is held stays, as in a cluster's cache. */
  rebooted(): void {
    this.#bootId = randomUUID();
  }

  #dial(identity: AgentIdentity): void {
    if (this.#stopped) return;
    this.attempts += 1;
    const { credential, keys } = identity;
    const client = openHub(this.#hub, {
      ca: credential.ca,
      own: { certificate: credential.certificate, key: keys.tls },
    });
    this.#client = client;
    const { path, write, read } = wireOf(AgentService, AgentService.method.connect);
    const stream = client.makeBidiStreamRequest(path, write, read, new Metadata(), {});
    this.#stream = stream;
    let over = false;
    const ended = (retryAfterMs: number, why: string) => {
      if (over) return;
      this.lastEnd = why;
      over = true;
      this.#over();
      const wait = backoffDelay(backoff, this.#failed++, Math.random);
      this.#after(Math.max(retryAfterMs, wait), () => this.#dial(identity));
    };
    stream.on("data", (message: ConnectResponse) => {
      const { case: kind, value } = message.message;
      if (kind === "goodbye") ended(value.retryAfterMs, `${value.code}: ${value.message}`);
      else if (!over) this.#heard(message);
    });
    stream.on("error", (error: Error) => ended(0, error.message));
    stream.on("end", () => ended(0, "the hub ended the stream"));
    this.#after(welcomePatience, () => {
      if (over || this.connected || this.#stream !== stream) return;
      this.unanswered += 1;
      ended(0, "no welcome");
    });
    this.#hello();
  }

  #hello(): void {
    const held = this.#held?.signed;
    this.#send({
      case: "hello",
      value: {
        versions: versions(),
        incarnation: this.incarnation,
        bootId: this.#bootId,
        highWater: this.#highWater,
        now: timestampFromMs(Date.now()),
        sealingPublicKey: this.#identity?.keys.sealingPublic ?? new Uint8Array(),
        facts: {
          kubernetesVersion: "v1.35.4",
          apiVersions: ["apps/v1", "apps/v1/Deployment", "v1", "v1/ConfigMap", "v1/Secret", "v1/Service"],
          nodes: 3,
          platform: "linux/amd64",
          writableNamespaces: ["*"],
        },
        ...(held === undefined ? {} : { held }),
      },
    });
  }

  #send(message: NonNullable<MessageInitShape<typeof ConnectRequestSchema>["message"]>): boolean {
    if (this.#stream === undefined) return false;
    this.#stream.write(create(ConnectRequestSchema, { message }));
    return true;
  }

  #heard({ message }: ConnectResponse): void {
    switch (message.case) {
      case "welcome":
        this.#failed = 0;
        this.connected = true;
        this.#beat(message.value.heartbeatMs);
        this.outbox.connected();
        if (message.value.revision !== this.revision) this.#nats?.wake();
        return;
      case "ack":
        this.outbox.acknowledged(message.value.sequence);
        return;
      case "hint":
        if (message.value.revision > this.revision) this.#nats?.wake();
        return;
      default:
    }
  }

  #beat(everyMs: number): void {
    clearInterval(this.#heartbeat);
    this.#heartbeat = setInterval(() => {
      this.#send({ case: "heartbeat", value: { revision: this.revision } });
    }, everyMs || 10_000);
  }

  #over(): void {
    this.connected = false;
    clearInterval(this.#heartbeat);
    this.outbox.stop();
    this.#stream?.cancel();
    this.#client?.close();
    this.#stream = undefined;
    this.#client = undefined;
  }

  async #take(signed: HeldState["signed"]): Promise<void> {
    const identity = this.#identity;
    if (identity === undefined) return;
    const to = {
      fleet: identity.fleet,
      cluster: this.cluster,
      incarnation: this.incarnation,
      verification: identity.credential.verificationKeys,
    };
    const next = accept(this.#held, this.#highWater, { signed, to });
    if (next === undefined) return;
    this.#held = next;
    this.#highWater = next.state.revision;
    this.#behaviour.onHeld?.(this.cluster, next.state.revision);
    this.outbox.holds(next.state.revision);
    await this.#carryOut(next, identity);
  }

  async #carryOut({ state }: HeldState, identity: AgentIdentity): Promise<void> {
    const generations = new Map<string, bigint>();
    for (const target of state.targets) {
      const key = `${target.namespace}/${target.name}`;
      generations.set(key, target.generation);
      if (this.#generations.get(key) === target.generation) continue;
      await this.#fetch(target, identity);
      this.#settle(target);
    }
    this.#generations = generations;
    for (const gone of state.tombstones) this.outbox.removed(gone);
  }

  async #fetch({ bundle }: DesiredTarget, { keys }: AgentIdentity): Promise<void> {
    if (bundle === undefined || this.#digests.has(bundle.digest)) return;
    await this.#nats?.bundle(bundle, this.#behaviour.opens?.(this.cluster) === false ? undefined : keys);
    this.#digests.add(bundle.digest);
  }

  #settle(target: DesiredTarget): void {
    const fate = this.#behaviour.fate?.(this.cluster, target) ?? healthy;
    if (fate.afterMs === 0) return this.report(target, fate);
    this.report(target, { afterMs: 0, phase: Phase.APPLYING, health: Health.PROGRESSING });
    this.#after(fate.afterMs, () => {
      const now = this.#generations.get(`${target.namespace}/${target.name}`);
      if (now === target.generation) this.report(target, fate);
    });
  }

  /** Says something of a target, whatever is so. */
  report(target: DesiredTarget, { phase, health, message = "" }: Fate): void {
    const now = timestampFromMs(Date.now());
    this.outbox.report(
      create(TargetReportSchema, {
        namespace: target.namespace,
        name: target.name,
        generation: target.generation,
        digest: target.bundle?.digest ?? "",
        phase,
        health,
        healthMessage: message,
        healthSince: now,
        sync: phase === Phase.DONE ? Sync.SYNCED : Sync.MOVING,
        counts: { objects: 1, synced: 1, healthy: health === Health.HEALTHY ? 1 : 0 },
        appliedAt: now,
        release: target.release?.id ?? "",
        mode: target.mode,
      }),
    );
  }

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (!this.#stopped) work();
    }, ms);
    this.#timers.add(timer);
  }

  async #patiently<T>(work: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await work();
      } catch (error) {
        if (tried === enrolTries) throw error;
        await new Promise((resolve) => setTimeout(resolve, backoffDelay(backoff, tried, Math.random)));
      }
    }
  }
}

function versions() {
  return {
    program: "simulated",
    protocol: protocol.current,
    protocolMin: protocol.oldest,
    features: [...features],
  };
}
