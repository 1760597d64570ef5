import { Fault } from "@capstan/proto";
import { parseEvents, YAMLException } from "js-yaml";
import { type Composed, ComposeError, Composer, type KeyRules } from "./compose.ts";
import type { Json } from "./json.ts";
import { defaultYamlLimits, type YamlLimits } from "./limits.ts";

/** A place in a text; both count from 1. */
export interface YamlPlace {
  readonly line: number;
  readonly column: number;
}

/** One document of a text. */
export interface YamlDocument {
  readonly value: Json;
  /** 1-based line of its first key or value. */
  readonly line: number;
  /** 1-based place of a field, or of the deepest part of the path that exists. */
  placeOf(path: readonly (string | number)[]): YamlPlace;
}

export interface YamlOptions {
  /** Named in every fault. */
  readonly file: string;
  readonly limits?: Partial<YamlLimits>;
  /** Defaults to `refuse`: bare `y:`/`on:` keys and duplicate keys are faults. */
  readonly keys?: KeyRules;
}

/**
 * Reads a YAML (or JSON) text as Kubernetes does. Empty documents are left out. Throws `bad-yaml` (or `too-large`)
 * with file, line and column at the first thing that is wrong.
 */
export function readYaml(text: string, options: YamlOptions): readonly YamlDocument[] {
  const source = prepare(text, options);
  return readSource(source, options, 0);
}

/**
 * As `readYaml`, but one bad document does not lose its neighbours: it appears as its fault, in its place. A text that
 * is too large, or holds NUL, is one fault.
 */
export function readYamlParts(text: string, options: YamlOptions): readonly (YamlDocument | Fault)[] {
  try {
    return readYaml(text, options);
  } catch (thrown) {
    const fault = Fault.from(thrown);
    const parts = fault.code === "bad-yaml" ? splitDocuments(stripMark(text)) : [];
    if (parts.length < 2) return [fault];
    return parts.flatMap((part) => readPart(part, options));
  }
}

interface Part {
  readonly text: string;
  /** Lines before it. */
  readonly lines: number;
}

function readPart(part: Part, options: YamlOptions): readonly (YamlDocument | Fault)[] {
  try {
    return readSource(prepare(part.text, options), options, part.lines);
  } catch (thrown) {
    return [Fault.from(thrown)];
  }
}

/** `---` at a line's start always begins a document, also inside quotes and blocks. Directives forbid the split. */
function splitDocuments(text: string): readonly Part[] {
  if (/^%/m.test(text)) return [];
  const parts: Part[] = [];
  let start = 0;
  let lines = 0;
  const push = (end: number) => {
    const piece = text.slice(start, end);
    parts.push({ text: piece, lines });
    for (let at = piece.indexOf("\n"); at >= 0; at = piece.indexOf("\n", at + 1)) lines += 1;
    start = end;
  };
  for (const match of text.matchAll(/^---(?=\s|$)/gm)) if (match.index > 0) push(match.index);
  push(text.length);
  return parts;
}

function stripMark(text: string): string {
  return text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
}

function prepare(text: string, options: YamlOptions): string {
  const limits = { ...defaultYamlLimits, ...options.limits };
  if (text.length > limits.bytes) {
    throw new Fault("too-large", {
      message: `a YAML file may have ${limits.bytes} characters, this one has ${text.length}.`,
      where: { file: options.file },
      next: "Split the file.",
    });
  }
  return stripMark(text);
}

function readSource(source: string, options: YamlOptions, linesBefore: number): readonly YamlDocument[] {
  const limits = { ...defaultYamlLimits, ...options.limits };
  const lines = new Lines(source, linesBefore);
  const documents: YamlDocument[] = [];
  try {
    const events = parseEvents(source, { filename: options.file, maxDepth: limits.depth });
    const composer = new Composer(source, events, { limits, keys: options.keys ?? "refuse" });
    for (let composed = composer.next(); composed !== undefined; composed = composer.next()) {
      if (!composed.empty) documents.push(documentOf(composed, lines));
      if (documents.length > limits.documents) {
        throw new ComposeError(
          `the file has more than ${limits.documents} documents`,
          composed.offset,
          "Split the file.",
        );
      }
    }
  } catch (thrown) {
    throw asFault(thrown, options.file, lines);
  }
  return documents;
}

function documentOf(composed: Composed, lines: Lines): YamlDocument {
  return {
    value: composed.value,
    line: lines.at(composed.offset).line,
    placeOf(path) {
      let offset = composed.offset;
      let value: Json | undefined = composed.value;
      for (const key of path) {
        if (value === null || typeof value !== "object") break;
        const known = composed.offsets.get(value)?.get(key);
        if (known !== undefined) offset = known;
        if (!Object.hasOwn(value, key)) break;
        value = (value as Record<string | number, Json>)[key];
      }
      return lines.at(offset);
    },
  };
}

/** Offsets to lines and columns, built once when first asked. */
class Lines {
  readonly #source: string;
  readonly #before: number;
  #starts: number[] | undefined;

  constructor(source: string, before: number) {
    this.#source = source;
    this.#before = before;
  }

  at(offset: number): YamlPlace {
    this.#starts ??= lineStarts(this.#source);
    const starts = this.#starts;
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: this.#before + low + 1, column: Math.max(0, offset - (starts[low] ?? 0)) + 1 };
  }
}

function lineStarts(source: string): number[] {
  const starts = [0];
  for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function asFault(thrown: unknown, file: string, lines: Lines): Fault {
  if (thrown instanceof ComposeError) {
    return new Fault("bad-yaml", {
      message: `${thrown.message}.`,
      where: { file, ...lines.at(thrown.offset) },
      next: thrown.next,
    });
  }
  if (thrown instanceof YAMLException) {
    const { message, next } = explain(thrown.reason);
    const where = { file, ...(thrown.mark === undefined ? {} : lines.at(thrown.mark.position)) };
    return new Fault("bad-yaml", { message, where, next, cause: thrown });
  }
  return Fault.from(thrown, "bad-yaml").at({ file });
}

/** The parser's reasons that people meet most, in words that say what to do. */
function explain(reason: string): { readonly message: string; readonly next: string } {
  const message = `this is no YAML: ${reason}.`;
  if (/tab/i.test(reason)) return { message, next: "Indent with spaces; YAML forbids tabs there." };
  if (/null byte|non-printable|printable/i.test(reason)) {
    return { message, next: "Save the file as UTF-8 text without control characters." };
  }
  if (/maxDepth/.test(reason))
    return { message: "maps and lists are nested too deeply.", next: "Nest less than 100 deep." };
  if (/indentation|block|flow|mapping|sequence|separator/i.test(reason)) {
    return { message, next: "Check the indentation and the brackets around this line." };
  }
  return { message, next: "Mend the text at this place." };
}
