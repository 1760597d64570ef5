import { create, fromBinary } from "@bufbuild/protobuf";
import { type ClusterId, type TargetKey, targetKey } from "@capstan/proto";
import {
  type ConnectRequest,
  ConnectRequestSchema,
  Health,
  HelloSchema,
  Phase,
  ReportBatchSchema,
  Sync,
  TargetReportSchema,
} from "@capstan/proto/agent";
import { type DesiredState, type SignedDesiredState, SignedDesiredStateSchema } from "@capstan/proto/desired";
import { openDesired } from "../distribution/codec.ts";
import { Outbox } from "../distribution/outbox.ts";
import type { DesiredCrypto } from "../distribution/port.ts";
import type { ToAgent } from "../distribution/sessions.ts";
import type { PeerIdentity } from "../identity/port.ts";

/** What an agent meets of a hub. */
export interface HubDoor {
  readonly crypto: DesiredCrypto;
  session(peer: PeerIdentity, requests: AsyncIterable<ConnectRequest>, signal: AbortSignal): AsyncIterable<ToAgent>;
  /** The stored value of `desired.<cluster>`. */
  desired(cluster: ClusterId): Promise<Uint8Array | undefined>;
}

/** How a target fares at this agent. */
export type Fate = "healthy" | "degraded" | "silent";

/**
 * An agent without a cluster: says hello, takes each newer desired state, carries out tombstones, and reports what the test
 * wants of each bundle. It keeps what real agents keep over restarts, and writes down every state that it took.
 */
export class TestAgent {
  readonly cluster: ClusterId;
  incarnation: string;
  held: SignedDesiredState | undefined;
  state: DesiredState | undefined;
  highWater = 0n;
  /** Every state it took, oldest first. */
  readonly taken: DesiredState[] = [];
  /** Goodbyes and refusals by code, oldest first. */
  readonly goodbyes: string[] = [];
  readonly #door: () => HubDoor;
  #fate: (target: TargetKey, digest: string) => Fate = () => "healthy";
  #outbox: Outbox<ConnectRequest> | undefined;
  #stop = new AbortController();
  #sequence = 0n;
  #boots = 0;
  #turn: Promise<void> = Promise.resolve();

  constructor(cluster: string, door: () => HubDoor) {
    this.cluster = cluster as ClusterId;
    this.incarnation = `uid-${cluster}`;
    this.#door = door;
  }

  /** Decides how targets fare from now on, and reports anew. */
  fares(fate: (target: TargetKey, digest: string) => Fate): void {
    this.#fate = fate;
    this.#later(() => this.#report());
  }

  /** The bundle digest by target, as it holds them. */
  holds(): Record<string, string> {
    const targets = this.state?.targets ?? [];
    return Object.fromEntries(targets.map((one) => [`${one.namespace}/${one.name}`, one.bundle?.digest ?? ""]));
  }

  /** Connects (anew). */
  connect(): void {
    this.disconnect();
    const outbox = new Outbox<ConnectRequest>();
    const stop = new AbortController();
    this.#outbox = outbox;
    this.#stop = stop;
    this.#sequence = 0n;
    this.#boots += 1;
    const peer = { cluster: this.cluster, tlsKey: "tls", notBefore: 0, notAfter: Number.MAX_VALUE, expired: false };
    const answers = this.#door().session(peer, outbox, stop.signal);
    outbox.push(message({ case: "hello", value: this.#hello() }));
    void this.#listen(answers, outbox);
  }

  disconnect(): void {
    this.#outbox?.end();
    this.#outbox = undefined;
    this.#stop.abort();
  }

  #hello() {
    return create(HelloSchema, {
      versions: { program: "test", protocol: 1, protocolMin: 1, features: [] },
      incarnation: this.incarnation,
      bootId: `${this.cluster}-${this.#boots}`,
      highWater: this.highWater,
      sealingPublicKey: new Uint8Array(32).fill(7),
      natsPublicKey: `U${this.cluster.toUpperCase().padEnd(55, "A")}`,
      ...(this.held === undefined ? {} : { held: this.held }),
      facts: { kubernetesVersion: "v1.35.0", apiVersions: ["v1"], nodes: 1, platform: "linux/amd64" },
    });
  }

  async #listen(answers: AsyncIterable<ToAgent>, outbox: Outbox<ConnectRequest>): Promise<void> {
    try {
      for await (const { message: said } of answers) {
        if (said?.case === "welcome" || said?.case === "hint") this.#later(() => this.#take(outbox));
        if (said?.case === "goodbye") this.goodbyes.push(said.value.code ?? "");
      }
    } finally {
      outbox.end();
      if (this.#outbox === outbox) this.#outbox = undefined;
    }
  }

  #later(work: () => Promise<void> | void): void {
    this.#turn = this.#turn.then(work);
  }

  async #take(outbox: Outbox<ConnectRequest>): Promise<void> {
    if (this.#outbox !== outbox) return;
    const bytes = await this.#door().desired(this.cluster);
    if (bytes !== undefined) {
      const signed = fromBinary(SignedDesiredStateSchema, bytes);
      const state = openDesired(signed, this.#door().crypto);
      if (state.revision > this.highWater) {
        this.held = signed;
        this.state = state;
        this.highWater = state.revision;
        this.taken.push(state);
      }
    }
    this.#report();
  }

  #report(): void {
    const { state } = this;
    if (this.#outbox === undefined) return;
    this.#sequence += 1n;
    const reports = (state?.targets ?? []).flatMap((target) => {
      const digest = target.bundle?.digest ?? "";
      const fate = this.#fate(targetKey(target.namespace, target.name), digest);
      if (fate === "silent") return [];
      return [
        create(TargetReportSchema, {
          namespace: target.namespace,
          name: target.name,
          generation: target.generation,
          digest,
          phase: Phase.DONE,
          health: fate === "healthy" ? Health.HEALTHY : Health.DEGRADED,
          healthMessage: fate === "healthy" ? "" : "it crashes",
          sync: Sync.SYNCED,
        }),
      ];
    });
    const removed = (state?.tombstones ?? []).map(({ namespace, name, generation }) => ({
      namespace,
      name,
      generation,
    }));
    const batch = create(ReportBatchSchema, {
      sequence: this.#sequence,
      full: true,
      revision: this.highWater,
      reports,
      removed,
    });
    this.#outbox.push(message({ case: "reports", value: batch }));
  }
}

function message(said: ConnectRequest["message"]): ConnectRequest {
  const made = create(ConnectRequestSchema);
  made.message = said;
  return made;
}
