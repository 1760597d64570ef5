import { again, type Chance, type Clock, type Fault, jittered, KeyedLoop, type Outcome } from "@capstan/proto";
import { accept, type Eyes } from "./accept.ts";
import type { HeldState, Scope } from "./model.ts";
import type { DesiredSource } from "./port.ts";

/** What intake works with. */
export interface IntakePorts {
  readonly source: DesiredSource;
  readonly eyes: Eyes;
  readonly clock: Clock;
  readonly chance: Chance;
  /** Undefined before enrolment: then nothing is asked. */
  scope(): Scope | undefined;
  held(): HeldState | undefined;
  highWater(): bigint;
  /** Makes the state the held one: durable, high-water revision included, before anything of it is used. */
  take(held: HeldState, signal: AbortSignal): Promise<void>;
  /** A newer state is not taken, and why; undefined: that is over. */
  refused(fault: Fault | undefined): void;
  /** A state came that is signed by a key of this id, which is not pinned: the hub may have a new one. */
  unknownKey(id: string): void;
  /** The question could not be asked. */
  trouble(fault: Fault): void;
}

/** Between polls, ms, ± 50 %: a lost hint costs at most one and a half of it. */
export const pollMs = 60_000;
const loopKey = "desired";

/**
 * Asks "what is my desired state now?" whenever something suggests it (a hint, a reconnect, a poll), one question at a
 * time. It never asks for changes after a revision: a store that lost data answers such questions with silence.
 */
export class Intake {
  readonly #ports: IntakePorts;
  readonly #loop: KeyedLoop;

  constructor(ports: IntakePorts) {
    this.#ports = ports;
    this.#loop = new KeyedLoop({
      clock: ports.clock,
      chance: ports.chance,
      concurrency: 1,
      backoff: { base: 1_000, factor: 2, cap: pollMs },
      handle: (_, signal) => this.#ask(signal),
      onFault: (_, fault) => ports.trouble(fault),
    });
  }

  /** Something suggests that there may be a newer state. */
  wake(): void {
    this.#loop.add(loopKey);
  }

  run(signal: AbortSignal): Promise<void> {
    this.wake();
    return this.#loop.run(signal);
  }

  async #ask(signal: AbortSignal): Promise<Outcome> {
    const ports = this.#ports;
    const next = again(jittered(pollMs, 0.5, ports.chance));
    const scope = ports.scope();
    if (scope === undefined) return next;
    const signed = await ports.source.read(signal);
    if (signed === undefined) return next;
    const verdict = accept(ports.held(), ports.highWater(), { signed, scope, eyes: ports.eyes });
    if (verdict.kind === "Accepted") await ports.take(verdict.held, signal);
    ports.refused(verdict.kind === "Refused" ? verdict.fault : undefined);
    if (!scope.verification.some(({ id, retired }) => id === signed.keyId && retired !== true))
      ports.unknownKey(signed.keyId);
    return next;
  }
}
