import type { Inventory } from "../inventory/model.ts";
import type { InventoryStore, Urgency } from "./port.ts";

/** The inventory of one target during one pass, and the only way by which the pass changes it. */
export class Book {
  readonly #store: InventoryStore;
  readonly #signal: AbortSignal;
  /** As it was before the pass. */
  readonly before: Inventory;
  #inventory: Inventory;

  constructor(store: InventoryStore, before: Inventory, signal: AbortSignal) {
    this.#store = store;
    this.#signal = signal;
    this.before = before;
    this.#inventory = before;
  }

  get inventory(): Inventory {
    return this.#inventory;
  }

  /** The same one again writes nothing. */
  async write(next: Inventory, urgency: Urgency): Promise<void> {
    if (next === this.#inventory) return;
    await this.#store.write(next, urgency, this.#signal);
    this.#inventory = next;
  }
}
