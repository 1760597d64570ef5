import { Fault } from "@capstan/proto";
import { RE2JS } from "re2js";

/**
 * Argo CD's globs for `include` and `exclude`: `*` and `**` match anything, `/` too; `?` one character; `[a-z]`, `[!a]`;
 * `{a,b}` either. Matched in linear time. Throws `bad-input` for a glob that cannot be read.
 */
export function globMatcher(glob: string): (path: string) => boolean {
  try {
    const pattern = RE2JS.compile(`^${translate(glob)}$`, RE2JS.DOTALL);
    return (path) => pattern.matches(path);
  } catch (cause) {
    throw new Fault("bad-input", { message: `expected a glob, found ${JSON.stringify(glob.slice(0, 100))}.`, cause });
  }
}

function translate(glob: string): string {
  let pattern = "";
  let depth = 0;
  for (let at = 0; at < glob.length; at += 1) {
    const char = glob.charAt(at);
    if (char === "*") pattern += ".*";
    else if (char === "?") pattern += ".";
    else if (char === "\\") {
      at += 1;
      pattern += RE2JS.quote(glob.charAt(at));
    } else if (char === "[") {
      const end = glob.indexOf("]", at + 2);
      if (end < 0) throw new Error("an open [");
      const inner = glob.slice(at + 1, end);
      pattern += `[${inner.startsWith("!") ? `^${inner.slice(1)}` : inner}]`.replaceAll("\\", "\\\\");
      at = end;
    } else if (char === "{") {
      depth += 1;
      pattern += "(?:";
    } else if (char === "}" && depth > 0) {
      depth -= 1;
      pattern += ")";
    } else pattern += char === "," && depth > 0 ? "|" : RE2JS.quote(char);
  }
  if (depth > 0) throw new Error("an open {");
  return pattern;
}
