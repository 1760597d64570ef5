import { RE2JS } from "re2js";
import { badInput } from "./context.ts";

/** Whether a path fits a pattern. */
export type PathMatcher = (path: string) => boolean;

/** A regular expression's source for the whole path, run in linear time. */
export function matcherOf(source: string, ignoreCase = false): PathMatcher {
  const compiled = RE2JS.compile(`^(?:${source})$`, RE2JS.DOTALL | (ignoreCase ? RE2JS.CASE_INSENSITIVE : 0));
  return (path) => compiled.matcher(path).find();
}

/** A text as it stands, for a regular expression. */
export function literal(text: string): string {
  return RE2JS.quote(text);
}

/** What the three pattern languages do differently. */
export interface Dialect {
  /** What `?` and one character of `*` match. */
  readonly any: string;
  /** Signs that negate a class: `!`, `^` or both. */
  readonly negations: string;
  /** Whether a class may match a slash. */
  readonly classMatchesSlash: boolean;
  /** Whether `[[:alpha:]]` and its kin are known. */
  readonly posix: boolean;
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: "a-zA-Z0-9",
  alpha: "a-zA-Z",
  blank: " \\t",
  cntrl: "\\x00-\\x1f\\x7f",
  digit: "0-9",
  graph: "!-~",
  lower: "a-z",
  print: " -~",
  punct: "!-/:-@\\[-`{-~",
  space: "\\s",
  upper: "A-Z",
  xdigit: "0-9A-Fa-f",
};

/** Reads the class that begins at `[`; undefined: it has no end or is empty. */
export function readClass(
  pattern: string,
  at: number,
  dialect: Dialect,
): { readonly source: string; readonly next: number } | undefined {
  let next = at + 1;
  const negated = dialect.negations.includes(pattern[next] ?? "\0");
  if (negated) next += 1;
  let body = "";
  let isFirst = true;
  while (next < pattern.length && (isFirst || pattern[next] !== "]")) {
    const posix = !dialect.posix ? null : /^\[:([a-z]+):\]/.exec(pattern.slice(next));
    if (posix !== null) {
      const known = posixClasses[posix[1] ?? ""];
      if (known === undefined) return undefined;
      body += known;
      next += posix[0].length;
    } else {
      const low = readMember(pattern, next);
      if (low === undefined) return undefined;
      next = low.next;
      if (pattern[next] === "-" && pattern[next + 1] !== "]" && next + 1 < pattern.length) {
        const high = readMember(pattern, next + 1);
        if (high === undefined) return undefined;
        next = high.next;
        if (low.character <= high.character) body += `${escapeMember(low.character)}-${escapeMember(high.character)}`;
      } else body += escapeMember(low.character);
    }
    isFirst = false;
  }
  if (pattern[next] !== "]") return undefined;
  const members = negated && !dialect.classMatchesSlash ? `${body}/` : body;
  if (members === "") return { source: negated ? dialect.any : "[^\\x00-\\x{10FFFF}]", next: next + 1 };
  return { source: `[${negated ? "^" : ""}${members}]`, next: next + 1 };
}

function readMember(pattern: string, at: number): { readonly character: string; readonly next: number } | undefined {
  const start = pattern[at] === "\\" ? at + 1 : at;
  const code = pattern.codePointAt(start);
  if (code === undefined) return undefined;
  const character = String.fromCodePoint(code);
  return { character, next: start + character.length };
}

function escapeMember(character: string): string {
  return /[\\\]^[-]/.test(character) ? `\\${character}` : character;
}

/** A pattern that its language refuses. */
export function badPattern(pattern: string, why: string): never {
  throw badInput(`the path pattern ${JSON.stringify(pattern)} is wrong: ${why}.`, "Mend the pattern.");
}
