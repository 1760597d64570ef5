import { Fault } from "@capstan/proto";
import { ParseError } from "./ast.ts";
import { defaultRenderLimits, type RenderLimits } from "./budget.ts";
import { toWellFormedText } from "./bytes.ts";
import { type MissingKey, type Program, run } from "./evaluate.ts";
import { ExecError } from "./exec-error.ts";
import { compileFast, type FastTemplate, renderFast, UnclosedTag } from "./fasttemplate.ts";
import { timeObject } from "./functions/dates.ts";
import { functionTable } from "./functions/table.ts";
import { parseTemplates } from "./parse.ts";
import { RegExpCache } from "./regexp.ts";
import { CallError, type GoMap } from "./value.ts";

/** How a text is rendered. */
export interface TemplateMode {
  /** Go's text/template; else the old `{{name}}` substitution. */
  readonly goTemplate: boolean;
  /** Go's options, such as `missingkey=error`. */
  readonly options: readonly string[];
}

export interface EngineOptions {
  readonly limits?: Partial<RenderLimits>;
  /** Templates kept compiled. */
  readonly cacheSize?: number;
  /** Milliseconds since 1970, for `now`, `ago` and their like; without it these fail, as they would change every render. */
  readonly now?: () => number;
}

export type TemplateStage = "parse" | "exec" | "option" | "fasttemplate";

/** A template that does not parse or run: code `bad-template`, with line and column within the template's text. */
export class TemplateFault extends Fault {
  readonly stage: TemplateStage;
  /** A key or field that the parameters lack. */
  readonly missingKey: boolean;
  constructor(
    stage: TemplateStage,
    at: { readonly text: string; readonly offset: number },
    error: { readonly message: string; readonly missingKey?: boolean },
  ) {
    const before = at.text.slice(0, at.offset);
    const line = before.split("\n").length;
    const column = at.offset - (before.lastIndexOf("\n") + 1) + 1;
    const shown = at.text.length > 120 ? `${at.text.slice(0, 120)}…` : at.text;
    super("bad-template", {
      message: `${error.message} (template ${JSON.stringify(shown)}, line ${line}, column ${column}).`,
      where: { line, column },
      next: error.missingKey === true ? "Give the parameter, or a default for it." : "Mend the template at this place.",
    });
    this.stage = stage;
    this.missingKey = error.missingKey ?? false;
  }
}

const missingKeyOptions: Readonly<Record<string, MissingKey>> = {
  "missingkey=default": "default",
  "missingkey=invalid": "default",
  "missingkey=zero": "zero",
  "missingkey=error": "error",
};

/** Renders templates; each text is compiled once and kept, the oldest going first. */
export class TemplateEngine {
  readonly #limits: RenderLimits;
  readonly #cacheSize: number;
  readonly #programs = new Map<string, Program | TemplateFault>();
  readonly #fast = new Map<string, FastTemplate | TemplateFault>();
  readonly #context;
  #parses = 0;
  #renders = 0;

  constructor(options: EngineOptions = {}) {
    this.#limits = { ...defaultRenderLimits, ...options.limits };
    this.#cacheSize = options.cacheSize ?? 5_000;
    const now = () => {
      if (options.now === undefined)
        throw new CallError("the present time is another one at each render, so that nothing would ever be in sync");
      return options.now();
    };
    this.#context = { now, regexps: new RegExpCache(), timeObject };
  }

  /** How many texts were compiled and rendered so far. */
  get counts(): { readonly parses: number; readonly renders: number } {
    return { parses: this.#parses, renders: this.#renders };
  }

  /** The text with its parameters. Throws TemplateFault. */
  render(text: string, params: GoMap, mode: TemplateMode): string {
    if (!mode.goTemplate) return this.#renderFast(text, params);
    const missingKey = this.#missingKey(text, mode.options);
    if (!text.includes("{{")) return text;
    const program = this.#program(text);
    this.#renders += 1;
    try {
      return toWellFormedText(run(program, params, { missingKey, limits: this.#limits, context: this.#context }));
    } catch (thrown) {
      throw asTemplateFault(thrown, text);
    }
  }

  #missingKey(text: string, options: readonly string[]): MissingKey {
    let chosen: MissingKey = "default";
    for (const option of options) {
      const known = missingKeyOptions[option];
      if (known === undefined)
        throw new TemplateFault("option", { text, offset: 0 }, { message: `unrecognized option: ${option}` });
      chosen = known;
    }
    return chosen;
  }

  #program(text: string): Program {
    let known = this.#programs.get(text);
    if (known === undefined) {
      this.#parses += 1;
      known = compile(text);
      evict(this.#programs, this.#cacheSize);
      this.#programs.set(text, known);
    }
    if (known instanceof TemplateFault) throw known;
    return known;
  }

  #renderFast(text: string, params: GoMap): string {
    let known = this.#fast.get(text);
    if (known === undefined && !this.#fast.has(text)) {
      this.#parses += 1;
      known = compileFastOrFault(text);
      evict(this.#fast, this.#cacheSize);
      this.#fast.set(text, known);
    }
    if (known instanceof TemplateFault) throw known;
    if (known !== undefined) this.#renders += 1;
    return renderFast(known, text, params);
  }
}

/** Drops the oldest entry where the cache is full. */
function evict(cache: Map<string, unknown>, size: number): void {
  if (cache.size < size) return;
  const oldest = cache.keys().next();
  if (oldest.done !== true) cache.delete(oldest.value);
}

function compile(text: string): Program | TemplateFault {
  try {
    return { templates: parseTemplates(text, functionTable), functions: functionTable };
  } catch (thrown) {
    return asTemplateFault(thrown, text);
  }
}

function compileFastOrFault(text: string): FastTemplate | TemplateFault {
  try {
    return compileFast(text);
  } catch (thrown) {
    return asTemplateFault(thrown, text);
  }
}

function asTemplateFault(thrown: unknown, text: string): TemplateFault {
  if (thrown instanceof ParseError) return new TemplateFault("parse", { text, offset: thrown.offset }, thrown);
  if (thrown instanceof ExecError) return new TemplateFault("exec", { text, offset: thrown.offset }, thrown);
  if (thrown instanceof UnclosedTag) return new TemplateFault("fasttemplate", { text, offset: thrown.offset }, thrown);
  // The engine's own stack: a value nested deeper than any function bears.
  if (thrown instanceof RangeError)
    return new TemplateFault(
      "exec",
      { text, offset: 0 },
      { message: `a value is too large or too deep: ${thrown.message}` },
    );
  throw thrown;
}
