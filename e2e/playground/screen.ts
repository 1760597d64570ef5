/** Where the view goes. */
export interface Output {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string): unknown;
}

/** Draws the view again in its place on a terminal; elsewhere prints it whenever it has changed. */
export class Screen {
  readonly #output: Output;
  #drawn = 0;
  #last = "";

  constructor(output: Output) {
    this.#output = output;
  }

  /** Text that stays, above the view. */
  say(text: string): void {
    this.#erase();
    this.#output.write(text);
    this.#last = "";
  }

  show(lines: readonly string[]): void {
    const live = this.#output.isTTY === true;
    const width = (this.#output.columns || 120) - 1; // 0 where a terminal does not know
    const text = lines.map((line) => `${live ? line.slice(0, width) : line}\n`).join("");
    if (text === this.#last) return;
    this.#erase();
    this.#output.write(live ? text : `${text}\n`);
    this.#last = text;
    this.#drawn = live ? lines.length : 0;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#output.write(`\u001b[${this.#drawn}A\u001b[0J`);
    this.#drawn = 0;
  }
}
