import { Fault } from "@capstan/proto";
import type { Answer } from "./gate-verbs.ts";
import type { Errand } from "./model.ts";
import type { GateWorld } from "./port.ts";

/** Runs what gates ask of the world, each errand once at a time, and hands the answers back. */
export class Errands {
  readonly #world: GateWorld;
  readonly #told: (errand: Errand, answer: Answer) => Promise<void>;
  readonly #underWay = new Map<string, Promise<void>>();

  constructor(world: GateWorld, told: (errand: Errand, answer: Answer) => Promise<void>) {
    this.#world = world;
    this.#told = told;
  }

  /** Begins what is not under way already. */
  run(errands: readonly Errand[], lane: string, signal: AbortSignal): void {
    for (const errand of errands) {
      if (this.#underWay.has(errand.id)) continue;
      const work = this.#one(errand, lane, signal).finally(() => this.#underWay.delete(errand.id));
      this.#underWay.set(errand.id, work);
    }
  }

  async #one(errand: Errand, lane: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#ask(errand, lane, signal);
    if (!signal.aborted) await this.#told(errand, answer);
  }

  /** A world that cannot be asked is no answer: the gate asks again, or times out. */
  async #ask(errand: Errand, lane: string, signal: AbortSignal): Promise<Answer> {
    try {
      return await this.#world.ask(errand, lane, signal);
    } catch (thrown) {
      return { verdict: "unclear", text: Fault.from(thrown, "internal").message };
    }
  }
}
