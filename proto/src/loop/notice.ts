/** Something that several wait for: `tell` wakes all who wait now. Nothing is queued; who wakes looks what is so. */
export class Notice {
  readonly #waiting = new Set<() => void>();

  /** Wakes everybody. */
  tell(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves at the next `tell`, or when the signal aborts. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      this.#waiting.add(wake);
      signal.addEventListener("abort", wake, { once: true });
      if (signal.aborted) wake();
    });
  }
}
