import { Fault } from "@capstan/proto";
import type { Json, JsonObject } from "../documents/model.ts";
import { type ListingQuery, listingKey } from "../listings/model.ts";
import type { TemplateEngine } from "../template/engine.ts";
import { CallError, type GoMap, toPlain } from "../template/value.ts";
import type { SetMemory } from "./memory.ts";
import type { ElementFault, GenerateInput, GitNeed } from "./model.ts";

/** The parameters of one element. */
export type Params = GoMap;

/** Products of one set's matrices; beyond it the set is a mistake, or a bomb. */
const maxProducts = 250_000;

/** The options that Go's templates know. */
export const knownOptions: readonly string[] = ["default", "invalid", "zero", "error"].map(
  (mode) => `missingkey=${mode}`,
);

/** Thrown in strict mode at the first fault, or at a bound: the whole top-level generator yields nothing. */
export class StopGenerator extends Error {}

/** What all generators of one run share. */
export class GenerateContext {
  readonly input: GenerateInput;
  readonly engine: TemplateEngine;
  readonly goTemplate: boolean;
  readonly faults: ElementFault[] = [];
  readonly needs = new Map<string, GitNeed>();
  readonly listingNeeds = new Map<string, ListingQuery>();
  /** Parsed files by tree and path. */
  readonly parsed = new Map<string, readonly JsonObject[] | Fault>();
  /** What the last run made; undefined: all is made anew. */
  readonly memory: SetMemory | undefined;
  /** Children of matrices that do not depend on the first child, and were run already. */
  readonly plainRuns = new Map<string, unknown>();
  complete = true;
  /** Which element of a matrix's first child the second is run for; a part of the places in the memory. */
  #scope = "";
  #depth = 0;
  #products = 0;
  readonly #hasUnknownOption: boolean;

  constructor(engine: TemplateEngine, input: GenerateInput, memory?: SetMemory) {
    this.engine = engine;
    this.memory = memory;
    this.input = input;
    this.goTemplate = input.set.spec.goTemplate ?? false;
    this.#hasUnknownOption = (input.set.spec.goTemplateOptions ?? []).some((option) => !knownOptions.includes(option));
  }

  /** Renders one text of the set. Throws TemplateFault. */
  render(text: string, params: Params, options = this.input.set.spec.goTemplateOptions ?? []): string {
    return this.engine.render(text, params, { goTemplate: this.goTemplate, options });
  }

  /** Throws for an unknown option, also where no text has a template in it: Argo CD renders every text. */
  checkOptions(params: Params): void {
    if (this.goTemplate && this.#hasUnknownOption) this.render("{{/**/}}", params);
  }

  /** Runs something for one element, whose places in the memory are its own; undefined: for all alike. */
  scoped<T>(params: Params | undefined, run: () => T): T {
    const outer = this.#scope;
    this.#depth += params === undefined ? 0 : 1;
    if (this.memory !== undefined) this.#scope = params === undefined ? "" : `${outer}#${this.memory.idOf(params)}`;
    try {
      return run();
    } finally {
      this.#scope = outer;
      this.#depth -= params === undefined ? 0 : 1;
    }
  }

  /** Whether a matrix runs its second child, and no other matrix stands around it: then what is written is the set's own. */
  get isInOneMatrix(): boolean {
    return this.#depth === 1;
  }

  /** A place in the memory. */
  placeOf(path: string, key = ""): string {
    return `${path}${this.#scope}\n${key}`;
  }

  /** What was made of a source last time, or what is made now. */
  recall(place: string, source: readonly unknown[], make: () => readonly Params[]): readonly Params[] {
    return this.memory === undefined ? make() : this.memory.recall(place, source, make);
  }

  /** Counts a product of a matrix. At the bound the generator stops, in every mode. */
  countProduct(generator: string): void {
    this.#products += 1;
    if (this.#products <= maxProducts) return;
    const fault = new Fault("too-large", {
      message: `the matrices of the set make more than ${maxProducts} elements.`,
      where: { set: `${this.input.set.metadata.namespace}/${this.input.set.metadata.name}`, generator },
      next: "Select fewer elements, or split the set.",
    });
    this.complete = false;
    this.faults.push({ fault, generator, step: "generator" });
    throw new StopGenerator();
  }

  need(need: GitNeed): void {
    this.complete = false;
    this.needs.set(`${need.repoURL}\n${need.revision}\n${need.path ?? ""}`, need);
  }

  needListing(query: ListingQuery): void {
    this.complete = false;
    this.listingNeeds.set(listingKey(query), query);
  }

  /** Notes a fault: the set is incomplete, and in strict mode the generator stops. */
  fail(
    thrown: unknown,
    at: { readonly generator: string; readonly step: ElementFault["step"]; readonly element?: Params | Json },
  ): void {
    if (thrown instanceof StopGenerator) throw thrown;
    const step = thrown instanceof CallError ? "panic" : at.step;
    const element = at.element === undefined ? undefined : elementOf(at.element);
    const fault = (
      thrown instanceof CallError
        ? new Fault("bad-input", { message: `${thrown.message}.` })
        : Fault.from(thrown, "bad-input")
    ).at({
      set: `${this.input.set.metadata.namespace}/${this.input.set.metadata.name}`,
      generator: at.generator,
      ...(element === undefined ? {} : { element: elementText(element) }),
    });
    this.complete = false;
    this.faults.push({ fault, generator: at.generator, step, ...(element === undefined ? {} : { element }) });
    if (this.input.compat === "strict" && step !== "render" && fault.code !== "unknown-generator")
      throw new StopGenerator();
  }
}

/** Longest element in a fault, in characters. */
const longestElement = 200;

/** An element as faults show it. */
export function elementText(element: JsonObject): string {
  const text = JSON.stringify(element, (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value));
  return text.length <= longestElement ? text : `${text.slice(0, longestElement)}…`;
}

function elementOf(element: Params | Json): JsonObject {
  const plain =
    typeof element === "object" && element !== null && "entries" in element && element.entries instanceof Map
      ? toPlain(element as Params)
      : (element as Json);
  return typeof plain === "object" && plain !== null && !Array.isArray(plain)
    ? (plain as JsonObject)
    : { value: plain };
}

/** A fault in what people wrote in a generator. */
export function badInput(message: string, next: string, field?: string): Fault {
  return new Fault("bad-input", { message, next, ...(field === undefined ? {} : { where: { field } }) });
}
