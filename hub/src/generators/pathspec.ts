import { badPattern, type Dialect, literal, matcherOf, type PathMatcher, readClass } from "./wildcard.ts";

const greedy: Dialect = { any: ".", negations: "!^", classMatchesSlash: true, posix: true };
const glob: Dialect = { any: "[^/]", negations: "!^", classMatchesSlash: false, posix: true };

interface Magic {
  readonly glob: boolean;
  readonly literal: boolean;
  readonly icase: boolean;
  readonly exclude: boolean;
  readonly rest: string;
}

const words: ReadonlySet<string> = new Set(["glob", "literal", "icase", "exclude", "top"]);

/** Matches paths as `git ls-files -- PATTERN` does: `*` crosses slashes, a directory means all below it. Throws `bad-input`. */
export function pathspecMatcher(pattern: string): PathMatcher {
  if (pattern === "") badPattern(pattern, "it is empty; . means everything");
  const magic = readMagic(pattern);
  const path = normalize(magic.rest, pattern);
  const fold = (text: string) => (magic.icase ? text.toLowerCase() : text);
  const wanted = fold(path);
  const fits =
    magic.literal || !/[*?[\\]/.test(path)
      ? () => false
      : matcherOf(wildSource(path, magic.glob ? glob : greedy), magic.icase);
  const matches: PathMatcher = (name) => {
    if (wanted === "") return true;
    const folded = fold(name);
    if (folded === wanted) return true;
    if (folded.startsWith(wanted) && (wanted.endsWith("/") || folded[wanted.length] === "/")) return true;
    return fits(name);
  };
  // Excludes alone stand against everything.
  return magic.exclude ? (name) => !matches(name) : matches;
}

function readMagic(pattern: string): Magic {
  const none = { glob: false, literal: false, icase: false, exclude: false, rest: pattern };
  if (!pattern.startsWith(":")) return none;
  if (pattern.startsWith(":(")) return readLongMagic(pattern);
  let at = 1;
  let exclude = false;
  for (; at < pattern.length; at += 1) {
    const sign = pattern[at] ?? "";
    if (sign === "!" || sign === "^") exclude = true;
    else if (sign === ":") {
      at += 1;
      break;
    } else if (sign !== "/") {
      if (/["#%&',\-;<=>@_`~]/.test(sign)) badPattern(pattern, `unimplemented pathspec magic ${sign}`);
      break;
    }
  }
  return { ...none, exclude, rest: pattern.slice(at) };
}

function readLongMagic(pattern: string): Magic {
  const end = pattern.indexOf(")");
  if (end < 0) badPattern(pattern, "a ) is missing after the pathspec magic");
  const names = pattern
    .slice(2, end)
    .split(",")
    .filter((name) => name !== "");
  for (const name of names) if (!words.has(name)) badPattern(pattern, `invalid pathspec magic ${JSON.stringify(name)}`);
  if (names.includes("glob") && names.includes("literal")) badPattern(pattern, "glob and literal exclude each other");
  const has = (name: string) => names.includes(name);
  return {
    glob: has("glob"),
    literal: has("literal"),
    icase: has("icase"),
    exclude: has("exclude"),
    rest: pattern.slice(end + 1),
  };
}

/** Git's own clean-up of a path; leaving the repository is an error. */
function normalize(path: string, pattern: string): string {
  if (path.startsWith("/")) badPattern(pattern, "it lies outside the repository");
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) badPattern(pattern, "it lies outside the repository");
  }
  const joined = parts.join("/");
  return joined !== "" && /\/\.?$/.test(path) ? `${joined}/` : joined;
}

/** Git's wildmatch as a regular expression; a class without an end matches nothing. */
function wildSource(pattern: string, dialect: Dialect): string {
  let source = "";
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at] ?? "";
    if (character === "*") {
      const stars = /^\*+/.exec(pattern.slice(at))?.[0].length ?? 1;
      const star = starSource(pattern, { at, stars, dialect });
      source += star.source;
      at = star.next;
    } else if (character === "[") {
      const found = readClass(pattern, at, dialect);
      if (found === undefined) return "[^\\x00-\\x{10FFFF}]";
      source += found.source;
      at = found.next;
    } else if (character === "\\") {
      source += literal(pattern[at + 1] ?? "\\");
      at += 2;
    } else {
      source += character === "?" ? dialect.any : literal(character);
      at += 1;
    }
  }
  return source;
}

function starSource(
  pattern: string,
  given: { readonly at: number; readonly stars: number; readonly dialect: Dialect },
): { readonly source: string; readonly next: number } {
  const { at, stars, dialect } = given;
  const next = at + stars;
  if (dialect.any === ".") return { source: ".*", next };
  const before = at === 0 || pattern[at - 1] === "/";
  if (stars < 2 || !before || (next < pattern.length && pattern[next] !== "/")) return { source: "[^/]*", next };
  // `**/` may also stand for nothing.
  return pattern[next] === "/" ? { source: "(?:.*/)?", next: next + 1 } : { source: ".*", next };
}
