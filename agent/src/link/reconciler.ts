import { create } from "@bufbuild/protobuf";
import { assertNever, type Chance, type Clock, Fault } from "@capstan/proto";
import {
  type ConnectRequest,
  ConnectRequestSchema,
  type ConnectResponse,
  HeartbeatSchema,
  type HeldList,
  type Hello,
  type Trust,
  type Welcome,
} from "@capstan/proto/agent";
import type { Identity } from "../identity/model.ts";
import type { LinkEffect, LinkEvent, LinkState } from "./model.ts";
import type { HubDialer, HubStream, StreamSink } from "./port.ts";
import { step } from "./step.ts";

/** What the driver of the link works with. */
export interface LinkPorts {
  readonly dialer: HubDialer;
  readonly clock: Clock;
  readonly chance: Chance;
  /** The identity as it is now; undefined before enrolment. */
  identity(): Identity | undefined;
  /** Hubs to try, as they are known now. */
  endpoints(): readonly string[];
  /** Gets an identity: resolves when `identity()` has it, throws a fault otherwise. */
  enroll(signal: AbortSignal): Promise<void>;
  /** What hello says; asked for at each session. */
  hello(): Promise<Hello>;
  revision(): bigint;
}

/** What the link tells. */
export interface LinkSink {
  connected(welcome: Welcome): void;
  disconnected(fault: Fault): void;
  /** Any message but welcome and goodbye. */
  message(message: ConnectResponse): void;
  /** There is room to send again. */
  drained(): void;
  /** For the log: each state entered. */
  moved(state: LinkState): void;
}

/** How long what must wait for room waits before it asks again, in milliseconds. */
const roomMs = 50;

/** Drives the machine of `step`: carries out its effects, feeds it what happens. */
export class Link {
  readonly #ports: LinkPorts;
  readonly #sink: LinkSink;
  #state: LinkState = { kind: "Starting" };
  #stream: { readonly session: number; readonly stream: HubStream } | undefined;
  #alarm: AbortController | undefined;
  #signal: AbortSignal = AbortSignal.abort();
  #stopped: (reason: Fault) => void = () => undefined;
  #full = false;

  constructor(ports: LinkPorts, sink: LinkSink) {
    this.#ports = ports;
    this.#sink = sink;
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Keeps the link until the signal aborts; returns why it ended. */
  async run(signal: AbortSignal): Promise<Fault> {
    this.#signal = signal;
    const ended = new Promise<Fault>((resolve) => {
      this.#stopped = resolve;
    });
    const stop = () =>
      this.#feed({ kind: "stop", reason: new Fault("cancelled", { message: "the agent is shutting down." }) });
    signal.addEventListener("abort", stop, { once: true });
    this.#feed({ kind: "start", enrolled: this.#ports.identity() !== undefined });
    if (signal.aborted) stop();
    const reason = await ended;
    signal.removeEventListener("abort", stop);
    this.#alarm?.abort();
    return reason;
  }

  /** A new credential is there. */
  renewed(): void {
    this.#feed({ kind: "renewed" });
  }

  /** Whether `send` would take something now. */
  get ready(): boolean {
    return this.#state.kind === "Connected" && !this.#full;
  }

  /** Sends on the session that stands; false when there is none or no room: nothing was sent. */
  send(message: ConnectRequest["message"]): boolean {
    if (this.#state.kind !== "Connected" || this.#full || this.#stream === undefined) return false;
    const { session, stream } = this.#stream;
    this.#full = !stream.send(create(ConnectRequestSchema, { message }));
    this.#feed({ kind: "sent", session });
    return true;
  }

  /** Sends when there is room: what is level goes first. Throws `hub-unreachable` where the session is over. */
  async sendInTurn(message: ConnectRequest["message"], signal: AbortSignal): Promise<void> {
    while (!this.send(message)) {
      if (this.#state.kind !== "Connected") {
        throw new Fault("hub-unreachable", { message: "the session is over." });
      }
      await this.#ports.clock.sleep(roomMs, signal);
    }
  }

  /** Says on the session that stands what the hub's word is taken by now; without one the next hello says it. */
  sayTrust(trust: { readonly trust?: Trust }): void {
    this.send({ case: "heartbeat", value: create(HeartbeatSchema, { revision: this.#ports.revision(), ...trust }) });
  }

  /** Brings what the hub asks for before it welcomes; where that cannot be had the session ends. */
  bring(pieces: Promise<readonly HeldList[]>): void {
    const session = this.#stream?.session;
    pieces.then(
      (all) => {
        if (this.#state.kind !== "Greeting" || this.#stream?.session !== session) return;
        for (const value of all) {
          this.#stream?.stream.send(create(ConnectRequestSchema, { message: { case: "heldList", value } }));
        }
      },
      (thrown: unknown) => {
        if (session !== undefined) this.#feed({ kind: "closed", session, fault: Fault.from(thrown) });
      },
    );
  }

  #feed(event: LinkEvent): void {
    const world = {
      now: this.#ports.clock.monotonic(),
      draw: this.#ports.chance(),
      endpoints: this.#ports.endpoints(),
    };
    const [next, effects] = step(this.#state, event, world);
    const entered = next.kind !== this.#state.kind;
    this.#state = next;
    if (entered) this.#sink.moved(next);
    for (const effect of effects) this.#carryOut(effect);
  }

  #carryOut(effect: LinkEffect): void {
    switch (effect.kind) {
      case "enroll":
        this.#ports.enroll(this.#signal).then(
          () => this.#feed({ kind: "enrolled" }),
          (thrown: unknown) => this.#feed({ kind: "enroll-failed", fault: Fault.from(thrown) }),
        );
        return;
      case "dial":
        return this.#dial(effect.session, effect.endpoint);
      case "hello":
        return this.#hello(effect.session);
      case "connected":
        return this.#sink.connected(effect.welcome);
      case "disconnected":
        return this.#sink.disconnected(effect.fault);
      case "heartbeat":
        this.#stream?.stream.send(
          create(ConnectRequestSchema, { message: { case: "heartbeat", value: { revision: this.#ports.revision() } } }),
        );
        return;
      case "close":
        if (this.#stream?.session === effect.session) this.#stream.stream.close();
        return;
      case "wake":
        return this.#wake(effect.at);
      case "stopped":
        return this.#stopped(effect.reason);
      default:
        assertNever(effect, "link effect");
    }
  }

  #dial(session: number, endpoint: string): void {
    const identity = this.#ports.identity();
    if (identity === undefined) throw new Fault("internal", { message: "a link without an identity dials." });
    this.#full = false;
    const stream = this.#ports.dialer.dial(endpoint, identity, this.#streamSink(session));
    this.#stream = { session, stream };
  }

  #streamSink(session: number): StreamSink {
    return {
      opened: () => this.#feed({ kind: "opened", session }),
      closed: (fault) => this.#feed({ kind: "closed", session, fault }),
      drained: () => {
        if (this.#stream?.session !== session) return;
        this.#full = false;
        this.#sink.drained();
      },
      message: (whole) => {
        const { message } = whole;
        if (this.#stream?.session !== session) return;
        if (message.case === "welcome") this.#feed({ kind: "welcome", session, welcome: message.value });
        else if (message.case === "goodbye") this.#feed({ kind: "goodbye", session, goodbye: message.value });
        else this.#sink.message(whole);
      },
    };
  }

  #hello(session: number): void {
    this.#ports.hello().then(
      (hello) => {
        if (this.#stream?.session !== session) return;
        this.#stream.stream.send(create(ConnectRequestSchema, { message: { case: "hello", value: hello } }));
      },
      (thrown: unknown) => {
        this.#feed({ kind: "closed", session, fault: Fault.from(thrown) });
        if (this.#stream?.session === session) this.#stream.stream.close();
      },
    );
  }

  #wake(at: number): void {
    this.#alarm?.abort();
    const alarm = new AbortController();
    this.#alarm = alarm;
    this.#ports.clock.sleep(Math.max(0, at - this.#ports.clock.monotonic()), alarm.signal).then(
      () => this.#feed({ kind: "tick" }),
      () => undefined, // replaced by a later wish, or the link ended
    );
  }
}
