import { type Chance, type Clock, type Digest, digestHex, Fault, type Instant, jittered } from "@capstan/proto";
import type { Shelf, Uses } from "./port.ts";
import { sweep } from "./sweep.ts";

/** What collecting needs. */
export interface CollectOptions {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly shelf: Shelf;
  readonly uses: Uses;
  /** Between two looks, and the grace of a publish: milliseconds. */
  readonly everyMs: number;
  readonly graceMs: number;
  onFault(fault: Fault): void;
}

/**
 * Deletes bundles that nobody names any more: marks them, looks again after the grace of a publish, then deletes. Marks are
 * kept in memory only: a hub that starts marks anew.
 */
export class CollectReconciler {
  readonly #options: CollectOptions;
  /** When each digest was asked for last: a render under way may be about to name it. */
  readonly #asked = new Map<Digest, Instant>();
  #marks: ReadonlyMap<string, Instant> = new Map();

  constructor(options: CollectOptions) {
    this.#options = options;
  }

  /** Somebody asked for the bundle, and may name it soon. */
  asked(digest: Digest): void {
    this.#asked.set(digest, this.#options.clock.now());
  }

  /** Looks from time to time until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, chance, everyMs } = this.#options;
    this.#marks = new Map();
    while (!signal.aborted) {
      await clock.sleep(jittered(everyMs, 0.1, chance), signal).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.look(signal);
      } catch (thrown) {
        if (!signal.aborted) this.#options.onFault(Fault.from(thrown, "store-unavailable"));
      }
    }
  }

  /** One look. Returns how many bundles were deleted. */
  async look(signal: AbortSignal): Promise<number> {
    const { clock, shelf, uses, graceMs } = this.#options;
    const stored = await shelf.digests(signal);
    const named = uses.named();
    if (named === undefined) {
      this.#marks = new Map();
      return 0;
    }
    const now = clock.now();
    for (const [digest, at] of this.#asked) if (now - at >= graceMs) this.#asked.delete(digest);
    const hexes = new Set([...named, ...this.#asked.keys()].map(digestHex));
    const { drop, marks } = sweep({ now, stored, named: hexes, marks: this.#marks, graceMs });
    this.#marks = marks;
    if (drop.length === 0) return 0;
    // Forgotten first: who asks from now on finds it missing, and stores it anew.
    await uses.dropped(new Set(drop.map((hex) => `sha256:${hex}` as Digest)), signal);
    for (const hex of drop) await shelf.delete(hex, signal);
    return drop.length;
  }
}
