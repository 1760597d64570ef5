import { type Dialect, literal, matcherOf, type PathMatcher, readClass } from "./wildcard.ts";

const dialect: Dialect = { any: "[^/]", negations: "^", classMatchesSlash: true, posix: false };

/** Go's path.Match, for directories: `*` stays in one segment, only `^` negates. A malformed pattern matches nothing. */
export function pathMatcher(pattern: string): PathMatcher {
  let source = "";
  for (let at = 0; at < pattern.length; ) {
    const character = pattern[at] ?? "";
    if (character === "*") source += "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "[") {
      const found =
        pattern[at + 1] === "]" || pattern.startsWith("^]", at + 1) ? undefined : readClass(pattern, at, dialect);
      if (found === undefined) return () => false;
      source += found.source;
      at = found.next;
      continue;
    } else if (character === "\\") {
      at += 1;
      if (at >= pattern.length) return () => false;
      source += literal(pattern[at] ?? "");
    } else source += literal(character);
    at += 1;
  }
  return matcherOf(source);
}
