import type { TemplateEngine } from "../template/engine.ts";
import { generate } from "./generate.ts";
import { SetMemory } from "./memory.ts";
import type { GenerateInput, GenerateResult } from "./model.ts";

/** Sets that are remembered at once; the one that was not run for longest goes first. */
const maxSets = 500;

/** Generates sets again and again: what a change does not touch is kept from the last time. */
export class IncrementalGenerator {
  readonly #engine: TemplateEngine;
  readonly #memories = new Map<string, SetMemory>();

  constructor(engine: TemplateEngine) {
    this.#engine = engine;
  }

  /** As `generate`; a preview neither uses nor changes what is remembered. */
  generate(input: GenerateInput): GenerateResult {
    if (input.preview === true) return generate(this.#engine, input);
    const { namespace, name } = input.set.metadata;
    const key = `${namespace}/${name}`;
    const memory = this.#memories.get(key) ?? new SetMemory();
    this.#memories.delete(key);
    this.#memories.set(key, memory);
    const oldest = this.#memories.keys().next();
    if (this.#memories.size > maxSets && oldest.done !== true) this.#memories.delete(oldest.value);
    return generate(this.#engine, input, memory);
  }
}
