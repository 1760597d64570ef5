import { create, type MessageInitShape } from "@bufbuild/protobuf";
import type { Phase, TargetReport } from "@capstan/proto/agent";
import { ApplyPolicySchema, type DesiredTarget, DesiredTargetSchema } from "@capstan/proto/desired";
import type { KubeSuite } from "../../../testing/kube-suite.ts";
import { adminAccount } from "../../../testing/kube-world.ts";
import { until } from "../../../testing/until.ts";
import { AgentProcess } from "./agent-process.ts";
import { FakeHub } from "./fake-hub.ts";

type TargetInit = MessageInitShape<typeof DesiredTargetSchema>;

/** The agent's program, a hub that speaks the schema, and a real API server between them. */
export class AgentWorld {
  readonly hub = new FakeHub();
  readonly #suite: KubeSuite;
  #agent: AgentProcess | undefined;
  #incarnation = "";

  constructor(suite: KubeSuite) {
    this.#suite = suite;
  }

  get agent(): AgentProcess {
    if (this.#agent === undefined) throw new Error("not prepared yet");
    return this.#agent;
  }

  get incarnation(): string {
    return this.#incarnation;
  }

  /** Starts the hub; the agent gets a namespace of its own and is not started. */
  async prepare(namespace: string, more: readonly string[]): Promise<void> {
    await this.hub.start();
    await this.#suite.world.namespace(namespace);
    this.#incarnation = String((await this.#suite.world.get("/api/v1/namespaces/kube-system"))?.metadata.uid);
    const given = { hub: this.hub.endpoint, token: this.hub.token, namespace, more };
    this.#agent = await AgentProcess.prepare(this.#suite.server, given);
  }

  async remove(): Promise<void> {
    await this.agent.remove();
    this.hub.stop();
  }

  /** An automated, self-healing target with these objects, in namespace `default`. */
  target(name: string, objects: readonly unknown[], more: TargetInit = {}): DesiredTarget {
    return create(DesiredTargetSchema, {
      namespace: "argocd",
      name,
      generation: 1n,
      bundle: this.hub.fleet.bundle(objects, this.hub.sealTo),
      serviceAccount: `${adminAccount.namespace}/${adminAccount.name}`,
      destinationNamespace: "default",
      policy: create(ApplyPolicySchema, { automated: true, prune: true, selfHeal: true }),
      ...more,
    } as TargetInit);
  }

  /** A signed state of this cluster. */
  signed(revision: bigint, targets: readonly DesiredTarget[], more: object = {}) {
    const { fleet } = this.hub;
    return fleet.sign({
      fleet: fleet.id,
      cluster: "a",
      incarnation: this.#incarnation,
      revision,
      targets: [...targets],
      ...more,
    });
  }

  publish(revision: bigint, targets: readonly DesiredTarget[], more: object = {}): void {
    this.hub.publish(this.signed(revision, targets, more), revision);
  }

  /** Waits until the hub has heard this of a target. */
  reported(name: string, generation: bigint, phase: Phase): Promise<TargetReport> {
    return this.waiting(() => {
      const report = this.hub.latest.get(`argocd/${name}`);
      return report?.generation === generation && report.phase === phase ? report : undefined;
    });
  }

  /** `until`, with the agent's last words in the message of a failure. */
  async waiting<T>(look: () => T | undefined | false | Promise<T | undefined | false>, ms = 60_000): Promise<T> {
    try {
      return await until(look, ms);
    } catch (thrown) {
      throw new Error(`${String(thrown)}\n${this.agent.log.slice(-4_000)}`);
    }
  }

  /** The data of a ConfigMap in namespace `default`; undefined where there is none. */
  async data(name: string): Promise<Readonly<Record<string, string>> | undefined> {
    const found = await this.#suite.world.get(`/api/v1/namespaces/default/configmaps/${name}`);
    return found?.["data"] as Record<string, string> | undefined;
  }
}
