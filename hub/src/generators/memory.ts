import type { JsonObject } from "../documents/model.ts";
import type { GoMap } from "../template/value.ts";
import { changesOf } from "./changes.ts";
import type { Changes, GeneratedApplication, GenerateInput } from "./model.ts";
import { sameSource } from "./same.ts";

type Params = GoMap;

/** What a leaf generator made of one source: a cluster, a file, a directory. */
interface Leaf {
  readonly source: readonly unknown[];
  readonly made: readonly Params[];
}

/** A list as it was, and what each of its elements became; undefined: it failed. */
interface List {
  readonly elements: readonly unknown[];
  readonly made: readonly (Params | undefined)[];
}

interface PerParams<T> {
  readonly of: unknown;
  readonly known: WeakMap<Params, T>;
}

/** Above this many targets a set is not remembered: its parameters would fill the memory. */
const maxRemembered = 50_000;

/**
 * What one set's generators made last time, so that only what depends on a change is made anew. Parameters keep their
 * identity while their source is equal, and all that was made of them is found by it. Not for sets whose templates
 * change parameters (see `changesParams`): those share state as they do in Argo CD.
 */
export class SetMemory {
  #frame: readonly unknown[] | undefined;
  #leaves = new Map<string, Leaf>();
  #nextLeaves = new Map<string, Leaf>();
  #lists = new Map<string, List>();
  #products = new WeakMap<Params, WeakMap<Params, Params>>();
  #perParams = new Map<string, PerParams<unknown>>();
  readonly #ids = new WeakMap<Params, number>();
  #nextId = 1;
  #previous: readonly GeneratedApplication[] | undefined;
  #changes: Changes | undefined;

  /** Begins a run; what another template made is forgotten. */
  begin(input: GenerateInput): void {
    const { set, newGitFileGlobbing, compat } = input;
    const { template, templatePatch, goTemplate, goTemplateOptions, syncPolicy } = set.spec;
    const { name, namespace } = set.metadata;
    const flags = [newGitFileGlobbing, compat, goTemplate, name, namespace];
    const frame = [template, templatePatch, goTemplateOptions, syncPolicy, flags];
    if (this.#frame !== undefined && !sameSource(this.#frame, frame)) this.#forget();
    this.#frame = frame;
    this.#nextLeaves = new Map();
  }

  #forget(): void {
    this.#leaves = new Map();
    this.#lists = new Map();
    this.#products = new WeakMap();
    this.#perParams = new Map();
  }

  /** Ends a run, and tells what it changed. An unfinished one (with needs) is only noted. */
  end(applications: readonly GeneratedApplication[], finished: boolean): Changes | undefined {
    if (!finished) {
      for (const [key, leaf] of this.#leaves) if (!this.#nextLeaves.has(key)) this.#nextLeaves.set(key, leaf);
    }
    this.#leaves = this.#nextLeaves;
    if (!finished) return this.#changes;
    if (this.#previous !== undefined) this.#changes = changesOf(this.#previous, applications) ?? this.#changes;
    this.#previous = applications;
    if (applications.length > maxRemembered) this.#forget();
    return this.#changes;
  }

  /** What was made of a source; made anew where the source is another. */
  recall(place: string, source: readonly unknown[], make: () => readonly Params[]): readonly Params[] {
    const known = this.#leaves.get(place);
    const leaf = known !== undefined && sameSource(known.source, source) ? known : { source, made: make() };
    this.#nextLeaves.set(place, leaf);
    return leaf.made;
  }

  /** Forgets what was made of a source: it lacks what failed, and the fault is to be told again. */
  drop(place: string): void {
    this.#nextLeaves.delete(place);
  }

  /** The same for a list, in which elements may have moved: what stays at either end is found by its place, the rest by what it holds. */
  recallList(
    place: string,
    elements: readonly unknown[],
    make: (element: unknown) => Params | undefined,
  ): readonly (Params | undefined)[] {
    const before = this.#lists.get(place) ?? { elements: [], made: [] };
    const most = Math.min(before.elements.length, elements.length);
    let start = 0;
    while (start < most && sameSource(before.elements[start], elements[start])) start += 1;
    let end = 0;
    const last = (list: readonly unknown[]) => list[list.length - 1 - end];
    while (end < most - start && sameSource(last(before.elements), last(elements))) end += 1;
    const known = byText(before, start, before.elements.length - end);
    const middle = elements
      .slice(start, elements.length - end)
      .map((element) => (known.size > 0 ? known.get(textOf(element)) : undefined) ?? make(element));
    const made = [...before.made.slice(0, start), ...middle, ...before.made.slice(before.made.length - end)];
    // A failed element is tried again, so that its fault is told again.
    const whole = made.map((params, index) => params ?? make(elements[index]));
    this.#lists.set(place, { elements, made: whole });
    return whole;
  }

  /** What two elements make together. `make` must leave both as they are. */
  product(left: Params, right: Params, make: () => Params): Params {
    let known = this.#products.get(left);
    if (known === undefined) {
      known = new WeakMap();
      this.#products.set(left, known);
    }
    let product = known.get(right);
    if (product === undefined) {
      product = make();
      known.set(right, product);
    }
    return product;
  }

  /** What something that is written at a place (`of`) made of each element; empty where it is written anew. */
  table<T>(place: string, of: unknown): WeakMap<Params, T> {
    let table = this.#perParams.get(place) as PerParams<T> | undefined;
    if (table === undefined || !sameSource(table.of, of)) {
      table = { of, known: new WeakMap() };
      this.#perParams.set(place, table);
    }
    return table.known;
  }

  /** A name for an element, as long as it keeps its identity. */
  idOf(params: Params): number {
    const known = this.#ids.get(params);
    if (known !== undefined) return known;
    this.#ids.set(params, this.#nextId);
    this.#nextId += 1;
    return this.#nextId - 1;
  }
}

function textOf(element: unknown): string {
  return JSON.stringify(element, (_, value) => (typeof value === "bigint" ? `${value}n` : value)) ?? "";
}

/** What a part of a list became, by what its elements hold. */
function byText(list: List, start: number, end: number): Map<string, Params> {
  const found = new Map<string, Params>();
  for (let index = start; index < end; index += 1) {
    const made = list.made[index];
    if (made !== undefined) found.set(textOf(list.elements[index]), made);
  }
  return found;
}

/** What the table knows of an element, or what is made now. */
export function tabled<T>(table: WeakMap<Params, T> | undefined, params: Params, make: () => T): T {
  const known = table?.get(params);
  if (known !== undefined) return known;
  const made = make();
  table?.set(params, made);
  return made;
}

const mutating = /\b(?:set|unset|merge|mergeOverwrite|mustMerge|mustMergeOverwrite)\b/;
const judged = new WeakMap<JsonObject, boolean>();

/** Whether a template of the set may change its parameters in place, as sprig's `set` does. */
export function changesParams(input: GenerateInput): boolean {
  const { spec } = input.set;
  if (spec.goTemplate !== true) return false;
  const key = spec as unknown as JsonObject;
  let known = judged.get(key);
  if (known === undefined) {
    known = hasText(key, (text) => text.includes("{{") && mutating.test(text));
    judged.set(key, known);
  }
  return known;
}

const plain = new WeakMap<JsonObject, boolean>();

/** Whether nothing in what is written is a template. */
export function isPlain(written: JsonObject): boolean {
  let known = plain.get(written);
  if (known === undefined) {
    known = !hasText(written, (text) => text.includes("{{"));
    plain.set(written, known);
  }
  return known;
}

function hasText(value: unknown, test: (text: string) => boolean): boolean {
  if (typeof value === "string") return test(value);
  if (typeof value !== "object" || value === null) return false;
  if (Array.isArray(value)) return value.some((item) => hasText(item, test));
  return Object.entries(value).some(([key, item]) => test(key) || hasText(item, test));
}
