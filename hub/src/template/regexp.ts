import { RE2JS } from "re2js";
import { CallError, type RegExpProgram } from "./value.ts";

/** Compiled RE2 expressions by source, bounded. RE2 runs in time linear in the text. */
export class RegExpCache {
  readonly #programs = new Map<string, RegExpProgram>();
  readonly #size: number;

  constructor(size = 256) {
    this.#size = size;
  }

  /** Throws CallError when the source is no regular expression. */
  compile(source: string): RegExpProgram {
    const known = this.#programs.get(source);
    if (known !== undefined) return known;
    const program = compileProgram(source);
    if (this.#programs.size >= this.#size) this.#programs.clear();
    this.#programs.set(source, program);
    return program;
  }
}

function compileProgram(source: string): RegExpProgram {
  if (!source.isWellFormed()) throw new CallError("error parsing regexp: invalid UTF-8");
  let compiled: RE2JS;
  try {
    compiled = RE2JS.compile(source);
  } catch (thrown) {
    throw new CallError(thrown instanceof Error ? thrown.message : String(thrown));
  }
  const groups = compiled.groupCount();
  const groupNames: string[] = [];
  for (const [name, group] of Object.entries(compiled.namedGroups())) groupNames[Number(group)] = name;
  return { groupNames, matches: (text, limit) => allMatches(compiled, groups, { text, limit }) };
}

/** Go's rule: an empty match right after another match does not count. */
function allMatches(
  compiled: RE2JS,
  groups: number,
  given: { readonly text: string; readonly limit: number },
): number[][] {
  const { text, limit } = given;
  const matcher = compiled.matcher(text);
  const found: number[][] = [];
  let previousEnd = -1;
  for (let at = 0; at <= text.length && (limit < 0 || found.length < limit); ) {
    if (!matcher.find(at)) break;
    const start = matcher.start();
    const end = matcher.end();
    const isEmptyHere = end === at;
    if (!(isEmptyHere && start === previousEnd)) {
      const match: number[] = [];
      for (let group = 0; group <= groups; group += 1) match.push(matcher.start(group), matcher.end(group));
      found.push(match);
    }
    at = isEmptyHere ? at + ((text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1) : end;
    previousEnd = end;
  }
  return found;
}
