import type { Clock, ClusterId, Digest, TargetKey } from "@capstan/proto";
import { type BundledObject, protectedAmong } from "./objects.ts";

/** What a removal would delete, as the hub published it. */
export interface LossesOptions {
  readonly clock: Clock;
  /** Undefined: its objects stay, or it stands nowhere. */
  bundleOf(cluster: ClusterId, target: TargetKey): Digest | undefined;
  /** Whether the target's application asks for a person's word before it goes (`Delete=confirm`). */
  confirms(cluster: ClusterId, target: TargetKey): boolean;
  /** The plain bundle, an object a line; undefined: no longer stored. */
  read(bundle: Digest): Promise<Uint8Array | undefined>;
  /** Told when a bundle that was asked about is known now. */
  onRead(): void;
}

/** A bundle that could not be read is tried again after this. */
const retryAfterMs = 5000;
/** Bundles whose protected kinds are remembered: a few words each. */
const remembered = 10_000;

/**
 * Says of a removal which protected kinds go with it. A bundle is read when it is first asked about, one at a time; until
 * then, and where it cannot be read, the removal is held: not to know is no leave to delete.
 */
export class Losses {
  readonly #options: LossesOptions;
  readonly #kinds = new Map<Digest, readonly string[]>();
  /** When a read of it last failed, by the monotonic clock. */
  readonly #failed = new Map<Digest, number>();
  readonly #queue = new Set<Digest>();
  #reading = false;

  constructor(options: LossesOptions) {
    this.#options = options;
  }

  /** Why the removal waits for a person; undefined: nothing protected goes with it. */
  reason(cluster: ClusterId, target: TargetKey): string | undefined {
    const bundle = this.#options.bundleOf(cluster, target);
    if (bundle === undefined) return undefined;
    if (this.#options.confirms(cluster, target)) return "its sync options ask for a confirmation (Delete=confirm)";
    const kinds = this.#kinds.get(bundle);
    if (kinds === undefined) {
      this.#ask(bundle);
      return "it is not known yet whether objects of protected kinds would be deleted: the bundle has not been read";
    }
    return kinds.length === 0 ? undefined : `objects of protected kinds (${kinds.join(", ")}) would be deleted`;
  }

  #ask(bundle: Digest): void {
    const failed = this.#failed.get(bundle);
    if (failed !== undefined && this.#options.clock.monotonic() - failed < retryAfterMs) return;
    this.#queue.add(bundle);
    if (!this.#reading) void this.#readAll();
  }

  async #readAll(): Promise<void> {
    this.#reading = true;
    for (const bundle of this.#queue) {
      await this.#read(bundle);
      this.#queue.delete(bundle);
    }
    this.#reading = false;
    this.#options.onRead();
  }

  async #read(bundle: Digest): Promise<void> {
    try {
      const bytes = await this.#options.read(bundle);
      if (bytes === undefined) {
        this.#failed.set(bundle, this.#options.clock.monotonic());
        return;
      }
      const [oldest] = this.#kinds.keys();
      if (this.#kinds.size >= remembered && oldest !== undefined) this.#kinds.delete(oldest);
      this.#kinds.set(bundle, protectedAmong(objectsOf(bytes)));
      this.#failed.delete(bundle);
    } catch {
      // Held as unknown, which is said; asked for again later.
      this.#failed.set(bundle, this.#options.clock.monotonic());
    }
  }
}

function objectsOf(bytes: Uint8Array): BundledObject[] {
  const lines = new TextDecoder().decode(bytes).split("\n");
  return lines.filter((line) => line !== "").map((line) => JSON.parse(line) as BundledObject);
}
