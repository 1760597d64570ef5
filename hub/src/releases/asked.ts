import type { ListingQuery, ListingState } from "../listings/model.ts";
import { listingKey } from "../listings/model.ts";
import type { ListingView } from "./port.ts";

/** What one pass over an owner asks of servers and ConfigMaps. */
export interface Asking {
  listing(query: ListingQuery): ListingState | undefined;
  configMap(namespace: string, name: string): Readonly<Record<string, string>> | undefined;
  /** Keys of all that was asked. */
  readonly keys: ReadonlySet<string>;
}

/** Reads a ConfigMap document's data. */
export type ReadConfigMap = (namespace: string, name: string) => Readonly<Record<string, string>> | undefined;

/** The key by which readers of a ConfigMap are found. */
export function configMapKey(namespace: string, name: string): string {
  return `ConfigMap/${namespace}/${name}`;
}

/** What each owner asks of servers outside: they are asked as long as somebody wants to know. */
export class Asked {
  readonly #listings: ListingView;
  readonly #configMap: ReadConfigMap;
  /** By owner: how to stop each. A ConfigMap needs no stopping. */
  readonly #owners = new Map<string, Map<string, () => void>>();

  constructor(listings: ListingView, configMap: ReadConfigMap) {
    this.#listings = listings;
    this.#configMap = configMap;
  }

  /** A pass begins: what it asks is watched from now on, until `keep` says what is still asked. */
  pass(owner: string): Asking {
    const keys = new Set<string>();
    const stops = this.#owners.get(owner) ?? new Map<string, () => void>();
    this.#owners.set(owner, stops);
    return {
      keys,
      listing: (query) => {
        // The period is part of how it is watched, though not of the question.
        const key = `${listingKey(query)} ${query.everySeconds}`;
        keys.add(key);
        if (!stops.has(key)) stops.set(key, this.#listings.watch(query));
        return this.#listings.current(query);
      },
      configMap: (namespace, name) => {
        const key = configMapKey(namespace, name);
        keys.add(key);
        if (!stops.has(key)) stops.set(key, () => undefined);
        return this.#configMap(namespace, name);
      },
    };
  }

  /** The owner asks these and no others. */
  keep(owner: string, keys: ReadonlySet<string>): void {
    const stops = this.#owners.get(owner);
    for (const [key, stop] of stops ?? []) {
      if (keys.has(key)) continue;
      stop();
      stops?.delete(key);
    }
    if (stops?.size === 0) this.#owners.delete(owner);
  }

  /** Owners that asked this: a listing's key, or a ConfigMap's. */
  readersOf(asked: string): string[] {
    return [...this.#owners].flatMap(([owner, stops]) =>
      [...stops.keys()].some((key) => key === asked || key.startsWith(`${asked} `)) ? [owner] : [],
    );
  }

  /** Nobody asks anything any more. */
  close(): void {
    for (const owner of [...this.#owners.keys()]) this.keep(owner, new Set());
  }
}
