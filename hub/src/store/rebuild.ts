import { type Clock, Fault } from "@capstan/proto";
import type { FleetNotes, Memory } from "./port.ts";

/** A rebuild after the store lost data: what clusters hold is current, all else waits for a person. */
export interface Rebuild {
  readonly since: number;
  /** Set back to an older copy, or lost whole. */
  readonly why: "older" | "lost";
}

/** Tells a store that lost data from one that did not, and holds the fleet until a person ends the rebuild. */
export class RebuildKeeper {
  readonly #options: { readonly notes: FleetNotes; readonly memory: Memory; readonly clock: Clock };
  #rebuild: Rebuild | undefined;

  constructor(options: { readonly notes: FleetNotes; readonly memory: Memory; readonly clock: Clock }) {
    this.#options = options;
  }

  /** Undefined: none is under way. */
  get current(): Rebuild | undefined {
    return this.#rebuild;
  }

  /** Looks at the start of a term. Returns a rebuild that began just now. */
  async look(signal: AbortSignal): Promise<Rebuild | undefined> {
    const { notes, memory, clock } = this.#options;
    const continuity = await memory.continuity(signal);
    this.#rebuild = await notes.read<Rebuild>("rebuild", signal);
    const began = this.#rebuild === undefined && (continuity === "lost" || continuity === "older");
    if (began) {
      this.#rebuild = { since: clock.now(), why: continuity };
      await notes.write("rebuild", this.#rebuild, signal);
    }
    await memory.accept(signal);
    return began ? this.#rebuild : undefined;
  }

  /** A person ends it. Throws `not-now`. */
  async end(signal: AbortSignal): Promise<void> {
    if (this.#rebuild === undefined) {
      throw new Fault("not-now", { message: "no rebuild is under way.", next: "Nothing is to be done." });
    }
    await this.#options.notes.delete("rebuild", signal);
    this.#rebuild = undefined;
  }
}
