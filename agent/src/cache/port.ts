/** A small Secret of the agent's own namespace. */
export interface SecretRecord {
  readonly name: string;
  readonly data: Readonly<Record<string, Uint8Array>>;
  readonly resourceVersion: string;
}

/**
 * Secrets of the agent's own namespace, written under the agent's own rights. A write is durable when it resolves.
 * Faults: `conflict` where another wrote in between, `cluster-unreachable`, `not-allowed`.
 */
export interface SecretStore {
  get(name: string, signal: AbortSignal): Promise<SecretRecord | undefined>;
  /** Creates it, or, with a resourceVersion, replaces exactly that one. */
  put(
    secret: { readonly name: string; readonly part: string; readonly data: Readonly<Record<string, Uint8Array>> },
    resourceVersion: string | undefined,
    signal: AbortSignal,
  ): Promise<SecretRecord>;
  /** A missing one is no error. */
  delete(name: string, signal: AbortSignal): Promise<void>;
  /** Names of all that were put with this `part`. */
  list(part: string, signal: AbortSignal): Promise<readonly string[]>;
}
