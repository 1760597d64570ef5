import { EVENT_ID, type Event, getScalarValue, SCALAR_STYLE, type ScalarEvent } from "js-yaml";
import type { Json } from "./json.ts";
import type { YamlLimits } from "./limits.ts";
import { decodeBinary, resolvePlain } from "./scalar.ts";

/** A refusal with its offset in the text. */
export class ComposeError extends Error {
  readonly offset: number;
  readonly next: string;
  constructor(message: string, offset: number, next: string) {
    super(message);
    this.offset = offset;
    this.next = next;
  }
}

/** How keys that people mistake are taken. `argo` reads as sigs.k8s.io/yaml does: `y:` is `"true"`, the last duplicate wins. */
export type KeyRules = "refuse" | "argo";

export interface ComposeOptions {
  readonly limits: YamlLimits;
  readonly keys: KeyRules;
}

/** Offsets of each map's keys and each list's items. */
export type Offsets = Map<object, Map<string | number, number>>;

export interface Composed {
  readonly value: Json;
  readonly offset: number;
  readonly empty: boolean;
  readonly offsets: Offsets;
}

interface Built {
  readonly value: Json;
  readonly weight: number;
  readonly offset: number;
}

type MutableMap = { [key: string]: Json };

const tagPrefix = "tag:yaml.org,2002:";
const unfinished = Symbol("unfinished");

/** Builds JSON values from js-yaml's events, one document after the other. */
export class Composer {
  readonly #source: string;
  readonly #events: readonly Event[];
  readonly #options: ComposeOptions;
  #index = 0;
  #anchors = new Map<string, Built | typeof unfinished>();
  #aliases = 0;
  #merged = 0;
  #weight = 0;
  #offsets: Offsets = new Map();

  constructor(source: string, events: readonly Event[], options: ComposeOptions) {
    this.#source = source;
    this.#events = events;
    this.#options = options;
  }

  /** The next document, or nothing at the end. Throws ComposeError. */
  next(): Composed | undefined {
    const start = this.#events[this.#index];
    if (start === undefined) return undefined;
    this.#index += 1;
    this.#anchors = new Map();
    this.#aliases = 0;
    this.#merged = 0;
    this.#weight = 0;
    this.#offsets = new Map();
    const first = this.#events[this.#index];
    const empty = first?.type === EVENT_ID.SCALAR && first.valueStart === first.valueEnd && first.tagStart < 0;
    const built = this.#node();
    this.#index += 1; // the document's own end
    return { value: built.value, offset: built.offset, empty: empty && built.value === null, offsets: this.#offsets };
  }

  #take(): Event {
    const event = this.#events[this.#index];
    if (event === undefined)
      throw new ComposeError("the text ends inside a value", this.#source.length, "Complete it.");
    this.#index += 1;
    return event;
  }

  #charge(weight: number, offset: number): void {
    this.#weight += weight;
    if (this.#weight > this.#options.limits.nodes) {
      throw new ComposeError(
        `the document has more than ${this.#options.limits.nodes} values once its aliases are written out`,
        offset,
        "Split it, or repeat less with aliases.",
      );
    }
  }

  #node(): Built {
    const event = this.#take();
    switch (event.type) {
      case EVENT_ID.SCALAR:
        return this.#scalar(event);
      case EVENT_ID.ALIAS:
        return this.#alias(this.#source.slice(event.anchorStart, event.anchorEnd), event.anchorStart);
      case EVENT_ID.SEQUENCE:
      case EVENT_ID.MAPPING: {
        const anchor = event.anchorStart < 0 ? undefined : this.#source.slice(event.anchorStart, event.anchorEnd);
        if (anchor !== undefined) this.#anchors.set(anchor, unfinished);
        const kind = event.type === EVENT_ID.SEQUENCE ? "seq" : "map";
        this.#collectionTag(
          event.tagStart < 0 ? "" : this.#source.slice(event.tagStart, event.tagEnd),
          kind,
          event.start,
        );
        const before = this.#weight;
        this.#charge(1, event.start);
        const value = kind === "seq" ? this.#list() : this.#map();
        const built = { value, weight: this.#weight - before, offset: event.start };
        if (anchor !== undefined) this.#anchors.set(anchor, built);
        return built;
      }
      default:
        throw new ComposeError("a value was expected", this.#source.length, "Complete it.");
    }
  }

  #collectionTag(tag: string, kind: "seq" | "map", offset: number): void {
    if (tag === "" || tag === "!" || tag === `!!${kind}` || tag === `!<${tagPrefix}${kind}>`) return;
    throw new ComposeError(`the tag ${tag} is not known here`, offset, "Remove it; Kubernetes knows no own types.");
  }

  #scalar(event: ScalarEvent): Built {
    const text = this.#isCutBlock(event)
      ? getScalarValue(this.#source, event).replace(/\n$/, "")
      : getScalarValue(this.#source, event);
    const offset = event.valueStart;
    const tag = event.tagStart < 0 ? "" : this.#source.slice(event.tagStart, event.tagEnd);
    const weight = 1 + (text.length >> 6);
    this.#charge(weight, offset);
    const plain = event.style === SCALAR_STYLE.PLAIN;
    const built = { value: this.#scalarValue({ text, tag, plain, offset }), weight, offset };
    if (event.anchorStart >= 0) this.#anchors.set(this.#source.slice(event.anchorStart, event.anchorEnd), built);
    return built;
  }

  /** A block of text that the file's end cuts off before a line break has none to keep, as Go's reader sees it. */
  #isCutBlock(event: ScalarEvent): boolean {
    if (event.style !== SCALAR_STYLE.LITERAL_BLOCK && event.style !== SCALAR_STYLE.FOLDED_BLOCK) return false;
    if (event.valueEnd < this.#source.length) return false;
    return /\S[^\r\n]*$/.test(this.#source.slice(this.#source.lastIndexOf("\n") + 1));
  }

  #scalarValue(scalar: { text: string; tag: string; plain: boolean; offset: number }): Json {
    const { text, plain, offset } = scalar;
    const tag = scalar.tag.startsWith("!<") ? scalar.tag.slice(2, -1).replace(tagPrefix, "!!") : scalar.tag;
    if (tag === "" ? !plain : tag === "!" || tag === "!!str") return text;
    if (tag === "!!binary") return binary(text, offset);
    if (!["", "!!null", "!!bool", "!!int", "!!float"].includes(tag)) {
      throw new ComposeError(`the tag ${tag} is not known here`, offset, "Remove it; Kubernetes knows no own types.");
    }
    const resolved = resolvePlain(text);
    if ("problem" in resolved) throw new ComposeError(resolved.problem, offset, "Write it in quotes if text is meant.");
    if (tag !== "" && typeof resolved.value === "string") {
      throw new ComposeError(
        `${JSON.stringify(text)} is no ${tag.slice(2)}`,
        offset,
        "Remove the tag or mend the value.",
      );
    }
    return resolved.value;
  }

  #alias(name: string, offset: number): Built {
    this.#aliases += 1;
    if (this.#aliases > this.#options.limits.aliases) {
      throw new ComposeError(
        `the document has more than ${this.#options.limits.aliases} aliases (*${name})`,
        offset,
        "Write the values out.",
      );
    }
    const built = this.#anchors.get(name);
    if (built === undefined)
      throw new ComposeError(`the alias *${name} has no anchor &${name} before it`, offset, "Add it.");
    if (built === unfinished)
      throw new ComposeError(`the alias *${name} stands inside its own anchor`, offset, "Undo the circle.");
    this.#charge(built.weight, offset);
    return built;
  }

  #list(): Json[] {
    const items: Json[] = [];
    const offsets = new Map<string | number, number>();
    this.#offsets.set(items, offsets);
    for (;;) {
      if (this.#events[this.#index]?.type === EVENT_ID.POP) break;
      const item = this.#node();
      offsets.set(items.length, item.offset);
      items.push(item.value);
    }
    this.#index += 1;
    return items;
  }

  #map(): MutableMap {
    const map: MutableMap = {};
    const offsets = new Map<string | number, number>();
    this.#offsets.set(map, offsets);
    const merges: Built[] = [];
    for (;;) {
      const event = this.#take();
      if (event.type === EVENT_ID.POP) break;
      this.#index -= 1;
      this.#pair(map, offsets, merges);
      if (offsets.size > this.#options.limits.keys) {
        throw new ComposeError(
          `a map has more than ${this.#options.limits.keys} keys`,
          offsets.values().next().value ?? 0,
          "Split it.",
        );
      }
    }
    for (const merge of merges) this.#merge(map, merge);
    return map;
  }

  #pair(map: MutableMap, offsets: Map<string | number, number>, merges: Built[]): void {
    const event = this.#events[this.#index];
    const mayMerge = event?.type === EVENT_ID.SCALAR && event.style === SCALAR_STYLE.PLAIN;
    const key = this.#node();
    if (mayMerge && key.value === "<<") {
      merges.push(this.#node());
      return;
    }
    const name = this.#keyText(key);
    if (this.#options.keys === "refuse" && offsets.has(name)) {
      throw new ComposeError(
        `the key ${JSON.stringify(name)} stands twice in one map`,
        key.offset,
        "Remove one of the two.",
      );
    }
    offsets.set(name, key.offset);
    setKey(map, name, this.#node().value);
  }

  #keyText(key: Built): string {
    const value = key.value;
    if (typeof value === "string") return value;
    if (typeof value === "number" || typeof value === "bigint") return String(value);
    if (typeof value === "boolean") {
      if (this.#options.keys === "argo") return String(value);
      throw new ComposeError(
        `the bare key ${this.#source.slice(key.offset).match(/^[A-Za-z]+/)?.[0] ?? ""} reads as ${value}, as in Kubernetes`,
        key.offset,
        "Put the key in quotes.",
      );
    }
    const what = value === null ? "empty (null)" : "a map or list";
    throw new ComposeError(`a map's key is ${what}; text is expected`, Math.max(key.offset, 0), "Put text there.");
  }

  #merge(map: MutableMap, built: Built): void {
    const sources = Array.isArray(built.value) ? built.value : [built.value];
    for (const source of sources as readonly Json[]) {
      if (source === null || typeof source !== "object" || Array.isArray(source)) {
        throw new ComposeError(
          "<< merges a map, or a list of maps; something else was found",
          built.offset,
          "Mend it.",
        );
      }
      for (const [key, value] of Object.entries(source)) {
        this.#merged += 1;
        if (this.#merged > this.#options.limits.mergeKeys) {
          throw new ComposeError(
            `<< copies more than ${this.#options.limits.mergeKeys} keys`,
            built.offset,
            "Merge less.",
          );
        }
        if (!Object.hasOwn(map, key)) setKey(map, key, value);
      }
    }
  }
}

function binary(text: string, offset: number): string {
  try {
    return decodeBinary(text);
  } catch {
    throw new ComposeError("the text after !!binary is no base64", offset, "Mend it or remove the tag.");
  }
}

/** Sets an own property, also for the one name that JavaScript would take as the prototype. */
function setKey(map: MutableMap, key: string, value: Json): void {
  if (key === "__proto__") {
    Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
  } else {
    map[key] = value;
  }
}
