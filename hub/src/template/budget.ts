import { ExecError } from "./exec-error.ts";

/** Bounds on one render; a template that passes one of them fails with its name. */
export interface RenderLimits {
  /** Nodes walked, commands run and elements made. */
  readonly steps: number;
  /** UTF-16 units of text, both the output and what functions build on the way. */
  readonly output: number;
  /** Templates that call templates. */
  readonly templates: number;
  /** Pipelines within pipelines, across templates. */
  readonly pipelines: number;
}

/** Enough for any real template, and the end of a bomb within a second. */
export const defaultRenderLimits: RenderLimits = {
  steps: 1_000_000,
  output: 4 * 1024 * 1024,
  templates: 100,
  pipelines: 1_000,
};

/** What one render has spent. Throws ExecError when a bound is passed. */
export class Budget {
  readonly #limits: RenderLimits;
  #steps = 0;
  #output = 0;
  #templates = 0;
  #offset = 0;

  constructor(limits: RenderLimits) {
    this.#limits = limits;
  }

  step(count: number, offset = this.#offset): void {
    this.#offset = offset;
    this.#steps += count;
    if (this.#steps > this.#limits.steps)
      throw new ExecError(`the template takes more than ${this.#limits.steps} steps`, offset);
  }

  write(length: number, offset: number): void {
    this.#output += length;
    if (this.#output > this.#limits.output) {
      throw new ExecError(`the template writes more than ${this.#limits.output} characters`, offset);
    }
  }

  enter(offset: number): void {
    this.#templates += 1;
    if (this.#templates > this.#limits.templates) {
      throw new ExecError(`templates call templates more than ${this.#limits.templates} deep`, offset);
    }
  }

  leave(): void {
    this.#templates -= 1;
  }

  nest(depth: number, offset: number): void {
    if (depth > this.#limits.pipelines)
      throw new ExecError(`pipelines nest more than ${this.#limits.pipelines} deep`, offset);
  }
}
