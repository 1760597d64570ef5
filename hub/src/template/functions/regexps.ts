import { quoteGo } from "../quote.ts";
import { type CallContext, CallError, GoList, type RegExpProgram, stringsOf, type Value } from "../value.ts";
import { define, type FunctionTable, text, whole } from "./define.ts";

type Body = (program: RegExpProgram, args: readonly Value[], context: CallContext) => Value;

/** Sprig's regular expressions (RE2). Every one has a `must` form; as the plain forms panic, both fail alike. */
export const regexpFunctions: FunctionTable = {
  regexMatch: define("string string", ([source, value], context) => {
    try {
      return program(source, value, context).matches(text(value), 1).length > 0;
    } catch (thrown) {
      if (thrown instanceof CallError) return false;
      throw thrown;
    }
  }),
  mustRegexMatch: define(
    "string string",
    ([source, value], context) => program(source, value, context).matches(text(value), 1).length > 0,
  ),
  ...pair("regexFind", "string string", (compiled, [value]) => {
    const [match] = compiled.matches(text(value), 1);
    return match === undefined ? "" : piece(text(value), match);
  }),
  ...pair("regexFindAll", "string string int", (compiled, [value, count]) =>
    findAll(compiled, text(value), whole(count)),
  ),
  ...pair("regexReplaceAll", "string string string", (compiled, [value, replacement], context) =>
    replaceAll({ compiled, value: text(value), context }, (match) =>
      expand(compiled, { template: text(replacement), value: text(value), match }),
    ),
  ),
  ...pair("regexReplaceAllLiteral", "string string string", (compiled, [value, replacement], context) =>
    replaceAll({ compiled, value: text(value), context }, () => text(replacement)),
  ),
  ...pair("regexSplit", "string string int", (compiled, [value, count], _context) =>
    split(compiled, text(value), whole(count)),
  ),
  regexQuoteMeta: define("string", ([value]) => text(value).replace(/[\\.+*?()|[\]{}^$]/g, "\\$&")),
};

function pair(name: string, types: string, body: Body): FunctionTable {
  const run = (panics: boolean) =>
    define(types, ([source, ...args], context) => body(program(source, args[0], context, panics), args, context));
  return { [name]: run(true), [`must${name[0]?.toUpperCase()}${name.slice(1)}`]: run(false) };
}

function program(source: Value, value: Value, context: CallContext, panics = false): RegExpProgram {
  context.charge(text(source).length + (typeof value === "string" ? value.length >> 2 : 0));
  try {
    return context.regexps.compile(text(source));
  } catch (thrown) {
    if (!(thrown instanceof CallError)) throw thrown;
    const message = thrown.message.endsWith("at end of expression") ? `${thrown.message}: \`\`` : thrown.message;
    const shown = text(source).includes("`") ? quoteGo(text(source)) : `\`${text(source)}\``;
    throw new CallError(panics ? `regexp: Compile(${shown}): ${message}` : message);
  }
}

function piece(value: string, match: readonly number[], group = 0): string {
  const [start = -1, end = -1] = [match[2 * group], match[2 * group + 1]];
  return start < 0 ? "" : value.slice(start, end);
}

function findAll(compiled: RegExpProgram, value: string, count: number): GoList {
  const found = count === 0 ? [] : compiled.matches(value, count).map((match) => piece(value, match));
  return found.length === 0 ? new GoList([], "string", true) : stringsOf(found);
}

function replaceAll(
  given: { readonly compiled: RegExpProgram; readonly value: string; readonly context: CallContext },
  replacement: (match: readonly number[]) => string,
): string {
  let result = "";
  let last = 0;
  for (const match of given.compiled.matches(given.value, -1)) {
    const text_ = replacement(match);
    given.context.charge(text_.length >> 4);
    result += given.value.slice(last, match[0]) + text_;
    last = match[1] ?? last;
  }
  return result + given.value.slice(last);
}

/** Go's Regexp.Expand: `$1`, `$name`, `${name}`, `$$`; the longest name counts. */
function expand(
  compiled: RegExpProgram,
  given: { readonly template: string; readonly value: string; readonly match: readonly number[] },
): string {
  return given.template.replace(
    /\$(?:(\$)|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu,
    (_, dollar?: string, braced?: string, bare?: string) => {
      if (dollar !== undefined) return "$";
      const name = braced ?? bare ?? "";
      const group = /^(0|[1-9][0-9]*)$/.test(name) ? Number(name) : compiled.groupNames.indexOf(name);
      return group < 0 ? "" : piece(given.value, given.match, group);
    },
  );
}

function split(compiled: RegExpProgram, value: string, count: number): GoList {
  if (count === 0) return new GoList([], "string", true);
  if (value === "") return stringsOf([""]);
  const parts: string[] = [];
  let begin = 0;
  let end = 0;
  for (const match of compiled.matches(value, count)) {
    if (count > 0 && parts.length === count - 1) break;
    end = match[0] ?? 0;
    if (match[1] !== 0) parts.push(value.slice(begin, end));
    begin = match[1] ?? 0;
  }
  if (end !== value.length) parts.push(value.slice(begin));
  return stringsOf(parts);
}
