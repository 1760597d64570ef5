import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { backoffDelay, Fault, features } from "@capstan/proto";
import {
  type AgentEvent,
  AgentEventSchema,
  type ConnectResponse,
  type Facts,
  type Hello,
  HelloSchema,
  type Welcome,
} from "@capstan/proto/agent";
import type { TargetEvent } from "./apply/watcher.ts";
import { ClusterCache } from "./cache/reconciler.ts";
import { cacheShelf, memoriesOf } from "./cache/shelf.ts";
import { versions } from "./config/versions.ts";
import { StateHolder } from "./desired/holder.ts";
import { Intake } from "./desired/intake.ts";
import type { CurrentState, Scope } from "./desired/model.ts";
import type { DesiredSource } from "./desired/port.ts";
import { firstOf } from "./desired/source.ts";
import { IdentityKeeper } from "./identity/reconciler.ts";
import type { LinkState } from "./link/model.ts";
import { Link } from "./link/reconciler.ts";
import type { AgentPorts, HintedSource } from "./ports.ts";
import { foldReport } from "./report/fold.ts";
import { Outbox } from "./report/outbox.ts";
import { Reporter } from "./report/reconciler.ts";
import { wantedOf } from "./targets/model.ts";
import { Questions } from "./targets/questions.ts";
import { Targets } from "./targets/reconciler.ts";
import { Views } from "./views/reconciler.ts";

/** One agent. */
export interface Agent {
  /** Runs until the signal aborts (`cancelled`) or nothing is left to try; returns why it ended. */
  run(signal: AbortSignal): Promise<Fault>;
}

/** Wires the rooms of one agent together. Nothing happens before `run`. */
export function createAgent(ports: AgentPorts): Agent {
  return new Rooms(ports);
}

class Rooms implements Agent {
  readonly #ports: AgentPorts;
  readonly #keeper: IdentityKeeper;
  readonly #cache: ClusterCache;
  readonly #holder: StateHolder;
  readonly #intake: Intake;
  readonly #targets: Targets;
  readonly #outbox = new Outbox();
  readonly #reporter: Reporter;
  readonly #link: Link;
  readonly #questions: Questions;
  readonly #nats: HintedSource | undefined;
  readonly #life = new AbortController();
  #facts: Facts | undefined;
  #ended: Fault | undefined;

  constructor(ports: AgentPorts) {
    this.#ports = ports;
    const { clock, config, bundles, applier } = ports;
    this.#keeper = new IdentityKeeper({ ...ports, store: ports.identities, versions, endpoints: config.hubs });
    this.#cache = new ClusterCache({ ...bundles, store: ports.secrets, bootId: ports.bootId });
    this.#nats = ports.overNats?.(() => this.#keeper.identity);
    const source = firstOf(this.#nats, ports.overGrpc, config.transport);
    this.#holder = this.#makeHolder(source);
    this.#intake = this.#makeIntake(source);
    this.#targets = this.#makeTargets();
    this.#link = this.#makeLink();
    this.#reporter = new Reporter({
      clock,
      outbox: this.#outbox,
      ready: () => this.#link.ready,
      send: (batch) => this.#link.send({ case: "reports", value: batch }),
    });
    this.#questions = new Questions({
      applier,
      bundles,
      held: () => this.#holder.current,
      look: (ref, signal) => this.#holder.look(ref, signal),
      views: new Views({ live: ports.live, own: ports.watcher, clock }),
      send: (answer, signal) => this.#link.sendInTurn({ case: "answer", value: answer }, signal),
    });
  }

  #makeHolder(source: DesiredSource): StateHolder {
    const { crypto, bundles } = this.#ports;
    return new StateHolder({
      source,
      crypto: bundles,
      verify: crypto.verifyEd25519,
      shelf: cacheShelf(this.#cache),
      sealingKeys: () => this.#keeper.sealingKeys(),
      accepted: (current) => this.#accepted(current),
      missing: (target, fault) => this.#warn("desired", fault, { target }),
    });
  }

  #makeIntake(source: DesiredSource): Intake {
    const { clock, chance, crypto, bundles } = this.#ports;
    return new Intake({
      source,
      clock,
      chance,
      eyes: { verify: crypto.verifyEd25519, gunzip: bundles.gunzip },
      scope: () => this.#scope(),
      held: () => this.#holder.current,
      highWater: () => this.#cache.head.highWater,
      take: (held, signal) => this.#guarded(() => this.#holder.take(held, signal)),
      refused: (fault) => this.#refused(fault),
      unknownKey: (id) => this.#keeper.unknownKey(id),
      trouble: (fault) => this.#warn("desired", fault),
    });
  }

  #makeTargets(): Targets {
    const { clock, chance, applier, watcher, config, bundles } = this.#ports;
    const memories = memoriesOf(this.#cache, clock, (fault) => this.#cacheTrouble(fault), this.#life.signal);
    return new Targets({
      clock,
      chance,
      applier,
      following: watcher,
      concurrency: config.targets,
      bundles: {
        get: (target, signal) => this.#guarded(() => this.#holder.bundle(target, signal)),
        held: (digest, signal) => this.#holder.held(digest, signal),
        lines: bundles.lines,
      },
      memories: { ...memories, set: (target, memory) => this.#guarded(() => memories.set(target, memory)) },
      sink: {
        status: (status) => this.#tell(() => this.#outbox.report(foldReport(status))),
        removed: (removed) => this.#tell(() => this.#outbox.removed(removed)),
        forgotten: (target) => this.#outbox.forget(target),
        complete: (complete) => this.#tell(() => this.#outbox.complete(complete)),
        event: (event) => this.#event(event),
      },
      fault: (target, fault) => this.#warn("targets", fault, { target }),
    });
  }

  #makeLink(): Link {
    const { clock, chance, dialer, who } = this.#ports;
    return new Link(
      {
        clock,
        chance,
        dialer,
        identity: () => this.#keeper.identity,
        endpoints: () => this.#keeper.endpoints(),
        enroll: (signal) => this.#keeper.enroll(signal),
        hello: () => this.#hello(who.incarnation),
        revision: () => this.#revision(),
      },
      {
        connected: (welcome) => this.#connected(welcome),
        disconnected: (fault) => this.#warn("link", fault),
        message: (message) => this.#heard(message),
        drained: () => this.#reporter.wake(),
        moved: (state) => this.#moved(state),
      },
    );
  }

  async run(outer: AbortSignal): Promise<Fault> {
    const stop = () => this.#life.abort(outer.reason);
    outer.addEventListener("abort", stop, { once: true });
    if (outer.aborted) stop();
    const { signal } = this.#life;
    try {
      await this.#persistently("identity", () => this.#keeper.load(signal), signal);
      await this.#persistently("cache", () => this.#cache.load(signal), signal);
      await this.#restore(signal);
      await Promise.all([
        this.#endWith(this.#link.run(signal)),
        this.#endWith(this.#persistently("targets", () => this.#targets.run(signal), signal)),
        this.#ports.watcher.run((event) => this.#watched(event), signal),
        this.#intake.run(signal),
        this.#reporter.run(signal),
        this.#keeper.run({ renewed: () => this.#renewed(), trouble: (fault) => this.#notRenewed(fault) }, signal),
        this.#listen(signal),
      ]);
    } catch (thrown) {
      this.#end(Fault.from(thrown));
    } finally {
      outer.removeEventListener("abort", stop);
      await this.#ports.drain().catch((thrown: unknown) => this.#warn("inventory", Fault.from(thrown)));
    }
    return this.#ended ?? new Fault("cancelled", { message: "the agent was asked to end." });
  }

  /** Keeps course from the cache before anything else is tried: hub and NATS may both be gone. */
  async #restore(signal: AbortSignal): Promise<void> {
    const { identity } = this.#keeper;
    if (identity === undefined) return;
    try {
      const fault = await this.#holder.restore({ ...identity, features }, signal);
      if (fault !== undefined) this.#warn("cache", fault);
    } catch (thrown) {
      if (signal.aborted) throw thrown;
      this.#warn("cache", Fault.from(thrown));
    }
  }

  async #listen(signal: AbortSignal): Promise<void> {
    const { log } = this.#ports;
    await this.#nats?.run(
      {
        hint: (revision) => this.#hinted(revision),
        connected: () => {
          log.info("nats", "connected");
          this.#intake.wake();
        },
        disconnected: (fault) => this.#warn("nats", fault),
      },
      signal,
    );
  }

  #scope(): Scope | undefined {
    const { identity } = this.#keeper;
    return identity === undefined ? undefined : { ...identity, features };
  }

  #revision(): bigint {
    return this.#holder.current?.state.revision ?? 0n;
  }

  async #hello(incarnation: string): Promise<Hello> {
    const { clock, bootId, facts } = this.#ports;
    try {
      this.#facts = await facts(this.#life.signal);
    } catch (thrown) {
      this.#warn("facts", Fault.from(thrown));
    }
    const held = this.#holder.current?.signed;
    return create(HelloSchema, {
      versions,
      incarnation,
      bootId,
      highWater: this.#cache.head.highWater,
      now: timestampFromMs(clock.now()),
      ...this.#keeper.introduction(),
      ...(this.#facts === undefined ? {} : { facts: this.#facts }),
      ...(held === undefined ? {} : { held }),
    });
  }

  #accepted(current: CurrentState): void {
    const { revision, targets } = wantedOf(current);
    this.#ports.log.info("desired", `holds revision ${revision}`, {
      revision: String(revision),
      targets: targets.size,
    });
    this.#tell(() => this.#outbox.holds(revision));
    this.#targets.want(wantedOf(current));
  }

  #event(event: Pick<AgentEvent, "reason" | "message" | "target">): void {
    const { log, clock } = this.#ports;
    log.info("targets", event.message, { target: event.target, reason: event.reason });
    const at = timestampFromMs(clock.now());
    this.#link.send({ case: "event", value: create(AgentEventSchema, { ...event, at }) });
  }

  #refused(fault: Fault | undefined): void {
    if (fault !== undefined) this.#warn("desired", fault);
    this.#tell(() => this.#outbox.refused(fault, this.#ports.clock.now()));
  }

  #connected(welcome: Welcome): void {
    this.#outbox.connected();
    this.#reporter.wake();
    if (welcome.revision !== this.#revision() || !this.#nats?.connected) this.#intake.wake();
  }

  #hinted(revision: bigint): void {
    if (revision > this.#revision()) this.#intake.wake();
  }

  #heard({ message }: ConnectResponse): void {
    switch (message.case) {
      case "ack":
        return this.#tell(() => this.#outbox.acknowledged(message.value.sequence));
      case "hint":
        return this.#hinted(message.value.revision);
      case "question":
        return this.#questions.ask(message.value, this.#life.signal);
      case "listWanted":
        return this.#link.bring(this.#holder.listPieces(message.value.digest, this.#life.signal));
      case "renewal":
        return this.#keeper.renewWithin(message.value.withinMs);
      default:
        this.#ports.log.debug("link", "a message that this version does not know was left out");
    }
  }

  #watched(event: TargetEvent): void {
    switch (event.kind) {
      case "suspect":
        return this.#targets.suspect(event.target, event.objects);
      case "health":
        return this.#targets.health(event.target, event.health);
      case "trouble":
        return this.#warn("watch", event.fault, { kind: `${event.watched.group}/${event.watched.kind}` });
    }
  }

  #renewed(): void {
    this.#ports.log.info("identity", "the certificate was renewed");
    this.#link.renewed();
    // It may have brought a key that a refused state is signed by, and the hub waits for all to have it.
    this.#intake.wake();
    this.#link.sayTrust(this.#keeper.trust());
  }

  #notRenewed(fault: Fault): void {
    this.#warn("identity", fault);
    if (fault.code === "conflict") this.#end(fault);
    if (fault.code === "revoked") void this.#rejoin();
  }

  /** The way back of a revoked cluster: a join token made since. Without one it stays out and keeps its course. */
  async #rejoin(): Promise<void> {
    try {
      if (!(await this.#guarded(() => this.#keeper.rejoin(this.#life.signal)))) return;
      this.#ports.log.info("identity", "joined anew with a new join token");
      this.#link.renewed();
    } catch (thrown) {
      this.#warn("identity", Fault.from(thrown));
    }
  }

  #moved(state: LinkState): void {
    if (state.kind !== "Connected") this.#questions.forget();
    const { log } = this.#ports;
    if (state.kind === "BackingOff") {
      const { attempts, last } = state.trouble;
      log.warn("link", last?.message ?? "the session ended", { code: last?.code, attempts, next: last?.next });
      if (last?.code === "certificate-refused") this.#keeper.refused();
      if (last?.code === "revoked") void this.#rejoin();
    } else if (state.kind === "Connected") log.info("link", `connected to ${state.endpoint}`);
    else log.debug("link", state.kind);
  }

  #tell(change: () => void): void {
    change();
    this.#reporter.wake();
  }

  #warn(room: string, fault: Fault, fields: Readonly<Record<string, unknown>> = {}): void {
    if (this.#life.signal.aborted && fault.code === "cancelled") return;
    const next = fault.next === undefined ? {} : { next: fault.next };
    this.#ports.log.warn(room, fault.message, { code: fault.code, ...next, ...fields });
  }

  #cacheTrouble(fault: Fault): void {
    this.#warn("cache", fault);
    if (fault.code === "conflict") this.#end(fault);
  }

  /** Another agent that writes the cache makes this one end: two would undo each other's work. */
  async #guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      const fault = Fault.from(thrown);
      if (fault.code === "conflict") this.#end(fault);
      throw thrown;
    }
  }

  async #persistently(room: string, work: () => Promise<void>, signal: AbortSignal): Promise<undefined> {
    const { clock, chance } = this.#ports;
    for (let attempt = 0; ; attempt++) {
      try {
        await work();
        return undefined;
      } catch (thrown) {
        const fault = Fault.from(thrown);
        if (signal.aborted || !fault.retryable) throw fault;
        this.#warn(room, fault);
        await clock.sleep(backoffDelay({ base: 1_000, factor: 2, cap: 30_000 }, attempt, chance), signal);
      }
    }
  }

  async #endWith(part: Promise<Fault | undefined>): Promise<void> {
    const fault = await part;
    if (fault !== undefined) this.#end(fault);
  }

  #end(fault: Fault): void {
    this.#ended ??= fault;
    this.#life.abort(fault);
  }
}
