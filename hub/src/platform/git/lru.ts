/** Remembers values up to a total weight; the least recently used go first. For values named by content only. */
export class Lru<V> {
  readonly #values = new Map<string, { readonly value: V; readonly weight: number }>();
  readonly #most: number;
  #weight = 0;

  constructor(most: number) {
    this.#most = most;
  }

  get(key: string): V | undefined {
    const held = this.#values.get(key);
    if (held === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, held);
    return held.value;
  }

  set(key: string, value: V, weight = 1): void {
    this.delete(key);
    this.#values.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#values.keys()) {
      if (this.#weight <= this.#most) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const held = this.#values.get(key);
    if (held === undefined) return;
    this.#values.delete(key);
    this.#weight -= held.weight;
  }
}
