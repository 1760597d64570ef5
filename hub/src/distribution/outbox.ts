/** Where a message stands in the queue: one of the same slot takes the place of an earlier one that still waits. */
export type Slot = string | undefined;

/**
 * What waits to be sent to one agent. Level messages (acks, hints) are coalesced by slot, so that a slow reader costs a
 * handful of messages; the rest is bounded, and a reader that lets it fill up is cut.
 */
export class Outbox<T> implements AsyncIterable<T> {
  readonly #limit: number;
  readonly #waiting = new Map<string, T>();
  #count = 0;
  #ended = false;
  #wake: (() => void) | undefined;

  constructor(limit = 256) {
    this.#limit = limit;
  }

  /** False when the box is full or closed: the message is not taken. */
  push(message: T, slot?: Slot): boolean {
    if (this.#ended) return false;
    const key = slot ?? `#${this.#count++}`;
    if (!this.#waiting.has(key) && this.#waiting.size >= this.#limit) return false;
    this.#waiting.set(key, message);
    this.#wake?.();
    return true;
  }

  /** Nothing more comes; what waits is still sent. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<T> {
    for (;;) {
      for (const [key, message] of this.#waiting) {
        this.#waiting.delete(key);
        yield message;
      }
      if (this.#waiting.size > 0) continue;
      if (this.#ended) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
