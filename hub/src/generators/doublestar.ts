import { cleanPath } from "../template/paths.ts";
import { badPattern, type Dialect, literal, matcherOf, type PathMatcher, readClass } from "./wildcard.ts";

const dialect: Dialect = { any: "[^/]", negations: "!^", classMatchesSlash: false, posix: false };

/**
 * Matches paths as github.com/bmatcuk/doublestar's FilepathGlob does below the repository's root: `*` stays in one
 * segment, `**` crosses them, `{a,b}` chooses. Throws `bad-input` for a malformed pattern.
 */
export function doublestarMatcher(pattern: string): PathMatcher {
  const cleaned = cleanPath(`/${pattern}`).slice(1);
  const segments = cleaned.split("/");
  let source = "";
  for (const [index, segment] of segments.entries()) {
    const isLast = index === segments.length - 1;
    if (segment === "**") {
      // Zero segments too: `a/**` is a itself and all below it.
      if (!isLast) source += "(?:[^/]+/)*";
      else if (source === "" || source.endsWith(")*")) source += ".*";
      else source = `${source.replace(/\/$/, "")}(?:/.*)?`;
    } else {
      source += segmentSource(segment, pattern) + (isLast ? "" : "/");
    }
  }
  return matcherOf(source);
}

function segmentSource(segment: string, pattern: string): string {
  let source = "";
  let depth = 0;
  for (let at = 0; at < segment.length; ) {
    const character = segment[at] ?? "";
    if (character === "[") {
      const found = readClass(segment, at, dialect) ?? badPattern(pattern, "a class has no end");
      source += found.source;
      at = found.next;
      continue;
    }
    if (character === "\\") {
      at += 1;
      if (at >= segment.length) badPattern(pattern, "it ends in a backslash");
      source += literal(segment[at] ?? "");
    } else if (character === "*") source += source.endsWith("[^/]*") ? "" : "[^/]*";
    else if (character === "?") source += "[^/]";
    else if (character === "{") {
      depth += 1;
      source += "(?:";
    } else if (character === "}") {
      if (depth === 0) badPattern(pattern, "a } has no {");
      depth -= 1;
      source += ")";
    } else if (character === "," && depth > 0) source += "|";
    else source += literal(character);
    at += 1;
  }
  if (depth > 0) badPattern(pattern, "a { has no }");
  return source;
}
