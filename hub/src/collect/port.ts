import type { Digest, Instant } from "@capstan/proto";

/** A bundle as it is stored. */
export interface Shelved {
  readonly hex: string;
  readonly storedAt: Instant;
}

/** The stored bundles. */
export interface Shelf {
  digests(signal: AbortSignal): Promise<readonly Shelved[]>;
  /** Fenced: `not-leader`. */
  delete(hex: string, signal: AbortSignal): Promise<void>;
}

/** Who may use bundles. */
export interface Uses {
  /** Everything that names a bundle; undefined while that is not known whole: then nothing is dropped. */
  named(): ReadonlySet<Digest> | undefined;
  /** These are gone: whoever remembers them forgets. */
  dropped(digests: ReadonlySet<Digest>, signal: AbortSignal): Promise<void>;
}
