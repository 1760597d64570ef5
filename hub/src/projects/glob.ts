import { RE2JS } from "re2js";

/** Whether a text fits a pattern. */
export type Glob = (text: string) => boolean;

/** Which signs a pattern language knows. */
export interface GlobStyle {
  /** What `*` and `?` do not cross; empty: they cross all. */
  readonly separator: string;
  /** `{a,b}`, `**` and `[!a]`, as github.com/gobwas/glob has them; else Go's path.Match. */
  readonly extended: boolean;
}

const cache = new Map<string, Glob>();
const cacheSize = 2_000;

/** Compiles a pattern, to run in linear time. One that is malformed matches nothing. */
export function globOf(pattern: string, style: GlobStyle): Glob {
  const key = `${style.separator}${style.extended ? "+" : "-"}${pattern}`;
  let known = cache.get(key);
  if (known === undefined) {
    known = compile(pattern, style);
    if (cache.size >= cacheSize) cache.clear();
    cache.set(key, known);
  }
  return known;
}

/** A pattern that begins with `!` fits what the rest does not; `*` alone fits everything. */
export function fits(pattern: string, text: string, separator = ""): boolean {
  if (pattern.startsWith("!")) return !globOf(pattern.slice(1), { separator, extended: true })(text);
  return pattern === "*" || globOf(pattern, { separator, extended: true })(text);
}

function compile(pattern: string, style: GlobStyle): Glob {
  const source = sourceOf(pattern, style);
  if (source === undefined) return () => false;
  const compiled = RE2JS.compile(`^(?:${source})$`, RE2JS.DOTALL);
  return (text) => compiled.matcher(text).find();
}

function sourceOf(pattern: string, style: GlobStyle): string | undefined {
  const one = style.separator === "" ? "." : `[^${RE2JS.quote(style.separator)}]`;
  let source = "";
  let depth = 0;
  for (let at = 0; at < pattern.length; at += 1) {
    const sign = pattern[at] ?? "";
    if (sign === "*") {
      const isDouble = style.extended && pattern[at + 1] === "*";
      source += isDouble ? ".*" : `${one}*`;
      if (isDouble) at += 1;
    } else if (sign === "?") source += one;
    else if (sign === "\\") {
      at += 1;
      if (at >= pattern.length) return undefined;
      source += RE2JS.quote(pattern[at] ?? "");
    } else if (sign === "[") {
      const end = pattern.indexOf("]", at + 2);
      const found = end < 0 ? undefined : classOf(pattern.slice(at + 1, end), style);
      if (found === undefined) return undefined;
      source += found;
      at = end;
    } else if (style.extended && sign === "{") {
      depth += 1;
      source += "(?:";
    } else if (style.extended && sign === "}" && depth > 0) {
      depth -= 1;
      source += ")";
    } else if (sign === "," && depth > 0) source += "|";
    else source += RE2JS.quote(sign);
  }
  return depth === 0 ? source : undefined;
}

function classOf(body: string, style: GlobStyle): string | undefined {
  const negated = body.startsWith(style.extended ? "!" : "^");
  const members = negated ? body.slice(1) : body;
  if (members === "") return undefined;
  const escaped = members.replace(/[\\\]^[]/g, "\\$&").replace(/^-|-$/g, "\\-");
  const range = /^(.)-(.)$/u.exec(members);
  if (range !== null && (range[1] ?? "") > (range[2] ?? "")) return undefined;
  return `[${negated ? "^" : ""}${escaped}]`;
}
