import { byteLength, byteSlice, fromBytes, isAscii, runes, toBytes } from "../bytes.ts";
import { valueText } from "../format.ts";
import { lowerCharacter, upperCharacter } from "../letters.ts";
import { quoteGo } from "../quote.ts";
import { isSpace, trimSpace } from "../spaces.ts";
import { GoList, GoMap, goInt, stringsOf, type Value } from "../value.ts";
import { kebabCase, pascalCase, snakeCase } from "../words.ts";
import { define, type FunctionTable, fail, text, whole } from "./define.ts";

/** Sprig's functions on text. Positions and lengths count bytes, as in Go. */
export const stringFunctions: FunctionTable = {
  hello: define("", () => "Hello!"),
  abbrev: define("int string", ([width, value]) => abbreviate(text(value), 0, whole(width))),
  abbrevboth: define("int int string", ([left, right, value]) =>
    abbreviateBoth(whole(left), whole(right), text(value)),
  ),
  trunc: define("int string", ([count, value]) => truncate(whole(count), text(value))),
  trim: define("string", ([value]) => trimSpace(text(value))),
  upper: define("string", ([value]) => goUpper(text(value))),
  lower: define("string", ([value]) => goLower(text(value))),
  title: define("string", ([value]) => title(text(value))),
  untitle: define("string", ([value]) => untitle(text(value))),
  substr: define("int int string", ([start, end, value]) => substring(whole(start), whole(end), text(value))),
  repeat: define("int string", ([count, value], context) => repeat(whole(count), text(value), context)),
  trimall: define("string string", ([cut, value]) => trimAll(text(value), text(cut))),
  trimAll: define("string string", ([cut, value]) => trimAll(text(value), text(cut))),
  trimSuffix: define("string string", ([suffix, value]) => {
    const [end, whole_] = [text(suffix), text(value)];
    return end !== "" && whole_.endsWith(end) ? whole_.slice(0, -end.length) : whole_;
  }),
  trimPrefix: define("string string", ([prefix, value]) => {
    const [start, whole_] = [text(prefix), text(value)];
    return whole_.startsWith(start) ? whole_.slice(start.length) : whole_;
  }),
  nospace: define("string", ([value]) => bytewise(text(value), (character) => !isSpace(character))),
  initials: define("string", ([value]) => initials(text(value))),
  swapcase: define("string", ([value]) => swapCase(text(value))),
  snakecase: define("string", ([value]) => snakeCase(text(value))),
  camelcase: define("string", ([value]) => pascalCase(text(value))),
  kebabcase: define("string", ([value]) => kebabCase(text(value))),
  wrap: define("int string", ([width, value]) =>
    wrap({ value: text(value), width: whole(width), separator: "\n", long: false }),
  ),
  wrapWith: define("int string string", ([width, separator, value]) =>
    wrap({
      value: text(value),
      width: whole(width),
      separator: text(separator) === "" ? "\n" : text(separator),
      long: true,
    }),
  ),
  contains: define("string string", ([part, value]) => text(value).includes(text(part))),
  hasPrefix: define("string string", ([part, value]) => text(value).startsWith(text(part))),
  hasSuffix: define("string string", ([part, value]) => text(value).endsWith(text(part))),
  quote: define("...any", (values) =>
    present(values)
      .map((value) => quoteGo(strval(value)))
      .join(" "),
  ),
  squote: define("...any", (values) =>
    present(values)
      .map((value) => `'${valueText(value)}'`)
      .join(" "),
  ),
  cat: define("...any", (values) => present(values).map(valueText).join(" ")),
  indent: define("int string", ([spaces, value], context) => indent(whole(spaces), text(value), context)),
  nindent: define("int string", ([spaces, value], context) => `\n${indent(whole(spaces), text(value), context)}`),
  replace: define("string string string", ([from, to, value], context) =>
    replaceAll({ from: text(from), to: text(to), value: text(value) }, context),
  ),
  plural: define("string string int", ([one, many, count]) => (whole(count) === 1 ? text(one) : text(many))),
  toString: define("any", ([value]) => strval(value)),
  toStrings: define("any", ([value]) => stringsOf(stringList(value))),
  join: define("string any", ([separator, value], context) => {
    const items = stringList(value);
    context.charge(items.length);
    return items.join(text(separator));
  }),
  sortAlpha: define("any", ([value]) =>
    stringsOf(value instanceof GoList ? stringList(value).sort(byBytes) : [strval(value)]),
  ),
  split: define("string string", ([separator, value]) => numbered(splitText(text(value), text(separator), -1))),
  splitn: define("string int string", ([separator, count, value]) =>
    numbered(splitText(text(value), text(separator), whole(count))),
  ),
  splitList: define("string string", ([separator, value]) => stringsOf(splitText(text(value), text(separator), -1))),
};

function byBytes(left: string, right: string): number {
  const [a, b] = [toBytes(left), toBytes(right)];
  for (let at = 0; at < Math.min(a.length, b.length); at += 1) {
    const difference = (a[at] ?? 0) - (b[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

function present(values: readonly Value[]): readonly Value[] {
  return values.filter((value) => value !== null && value !== undefined);
}

/** Sprig's strval: the text a value stands for. */
export function strval(value: Value): string {
  if (typeof value === "string") return value;
  return value === null || value === undefined ? "<nil>" : valueText(value);
}

/** Sprig's strslice. */
function stringList(value: Value): string[] {
  if (value instanceof GoList) return present(value.items).map(strval);
  return value === null || value === undefined ? [] : [strval(value)];
}

function trimAll(value: string, cut: string): string {
  const set = new Set(cut);
  const characters = [...value];
  let start = 0;
  let end = characters.length;
  while (start < end && set.has(characters[start] ?? "")) start += 1;
  while (end > start && set.has(characters[end - 1] ?? "")) end -= 1;
  return characters.slice(start, end).join("");
}

/** A bad byte becomes U+FFFD where Go maps character by character. */
function mapCharacters(value: string, change: (character: string) => string): string {
  return runes(value).map(change).join("");
}

/** Go's strings.ToUpper: one character for one. */
function goUpper(value: string): string {
  return isAscii(value) ? value.toUpperCase() : mapCharacters(value, upperCharacter);
}

/** Go's strings.ToLower: one character for one, so that İ becomes i. */
export function goLower(value: string): string {
  return isAscii(value) ? value.toLowerCase() : mapCharacters(value, lowerCharacter);
}

function title(value: string): string {
  let previous = " ";
  return mapCharacters(value, (character) => {
    const inWord = /^[_\p{L}\p{Nd}]$/u.test(previous) || (!isAsciiCharacter(previous) && !isSpace(previous));
    const titled = inWord ? character : titleCharacter(character);
    previous = character;
    return titled;
  });
}

function isAsciiCharacter(character: string): boolean {
  return character.charCodeAt(0) < 0x80;
}

const titleCases: Readonly<Record<string, string>> = {
  "\u01c6": "\u01c5",
  "\u01c4": "\u01c5",
  "\u01c9": "\u01c8",
  "\u01c7": "\u01c8",
  "\u01cc": "\u01cb",
  "\u01ca": "\u01cb",
  "\u01f3": "\u01f2",
  "\u01f1": "\u01f2",
};

function titleCharacter(character: string): string {
  return titleCases[character] ?? upperCharacter(character);
}

function untitle(value: string): string {
  let next = true;
  return mapCharacters(value, (character) => {
    if (isSpace(character)) {
      next = true;
      return character;
    }
    const changed = next ? lowerCharacter(character) : character;
    next = false;
    return changed;
  });
}

function swapCase(value: string): string {
  let afterSpace = true;
  return mapCharacters(value, (character) => {
    if (/^[\p{Lu}\p{Lt}]$/u.test(character)) {
      afterSpace = false;
      return lowerCharacter(character);
    }
    if (/^\p{Ll}$/u.test(character)) {
      const changed = afterSpace ? titleCharacter(character) : upperCharacter(character);
      afterSpace = false;
      return changed;
    }
    afterSpace = isSpace(character);
    return character;
  });
}

/** goutils takes each byte for a character and writes it as one. */
function bytewise(value: string, keep: (character: string) => boolean): string {
  const characters = [...toBytes(value)].map((byte) => String.fromCharCode(byte));
  const kept = characters.filter(keep);
  return kept.length === characters.length ? value : kept.join("");
}

function initials(value: string): string {
  let gap = true;
  let result = "";
  for (const byte of toBytes(value)) {
    const character = String.fromCharCode(byte);
    if (isSpace(character)) gap = true;
    else if (gap) {
      result += character;
      gap = false;
    }
  }
  return result;
}

function abbreviateBoth(left: number, right: number, value: string): string {
  if (right < 4 || (left > 0 && right < 7)) return value;
  return abbreviate(value, left, right);
}

function abbreviate(value: string, left: number, width: number): string {
  if (width < 4) return left === 0 ? value : "";
  const size = byteLength(value);
  if (size <= width) return value;
  let offset = Math.min(left, size);
  if (size - offset < width - 3) offset = size - (width - 3);
  if (offset <= 4) return `${byteSlice(value, 0, width - 3)}...`;
  if (width < 7) return "";
  if (offset + width - 3 < size)
    return `...${width - 3 < 4 ? "" : abbreviate(byteSlice(value, offset, size), 0, width - 3)}`;
  return `...${byteSlice(value, size - (width - 3), size)}`;
}

function truncate(count: number, value: string): string {
  const size = byteLength(value);
  if (count < 0 && size + count > 0) return byteSlice(value, size + count, size);
  return count >= 0 && size > count ? byteSlice(value, 0, count) : value;
}

function substring(start: number, end: number, value: string): string {
  const size = byteLength(value);
  const [from, to] = start < 0 ? [0, end] : end < 0 || end > size ? [start, size] : [start, end];
  if (to < 0 || to > size)
    fail(`runtime error: slice bounds out of range [:${to}]${to < 0 ? "" : ` with length ${size}`}`);
  if (from < 0 || to < from) fail(`runtime error: slice bounds out of range [${from}:${from < 0 ? "" : to}]`);
  return byteSlice(value, from, to);
}

interface Charging {
  charge(steps: number): void;
}

function repeat(count: number, value: string, context: Charging): string {
  if (count < 0) fail("strings: negative Repeat count");
  // Counted before it is built: a text of any size is one call away.
  context.charge(Math.ceil((count * value.length) / 16));
  return value.repeat(count);
}

function indent(spaces: number, value: string, context: Charging): string {
  const padding = repeat(spaces, " ", context);
  const lines = value.split("\n");
  context.charge(Math.ceil((lines.length * spaces) / 16));
  return lines.map((line) => padding + line).join("\n");
}

function replaceAll(
  given: { readonly from: string; readonly to: string; readonly value: string },
  context: Charging,
): string {
  const parts = given.from === "" ? ["", ...runes(given.value), ""] : given.value.split(given.from);
  context.charge(Math.ceil((given.value.length + parts.length * given.to.length) / 16));
  if (given.from !== "") return parts.join(given.to);
  return (
    given.to +
    runes(given.value)
      .map((character) => character + given.to)
      .join("")
  );
}

/** Go's strings.SplitN; an empty separator splits after each character. */
function splitText(value: string, separator: string, limit: number): string[] {
  if (limit === 0) return [];
  const parts = separator === "" ? [...value] : value.split(separator);
  if (limit < 0 || parts.length <= limit) return parts;
  return [...parts.slice(0, limit - 1), parts.slice(limit - 1).join(separator)];
}

function numbered(parts: readonly string[]): GoMap {
  return new GoMap(new Map(parts.map((part, index) => [`_${goInt(index).value}`, part])), "string");
}

function wrap(given: {
  readonly value: string;
  readonly width: number;
  readonly separator: string;
  readonly long: boolean;
}): string {
  const width = Math.max(1, given.width);
  const bytes = toBytes(given.value);
  const slice = (from: number, to: number) => fromBytes(bytes.subarray(from, to));
  let wrapped = "";
  let offset = 0;
  while (bytes.length - offset > width) {
    if (bytes[offset] === 32) {
      offset += 1;
      continue;
    }
    const space = bytes.subarray(offset, offset + width + 1).lastIndexOf(32);
    if (space >= 0) {
      wrapped += slice(offset, offset + space) + given.separator;
      offset += space + 1;
    } else if (given.long) {
      wrapped += slice(offset, offset + width) + given.separator;
      offset += width;
    } else {
      const next = bytes.indexOf(32, offset + width);
      wrapped += slice(offset, next < 0 ? bytes.length : next) + (next < 0 ? "" : given.separator);
      offset = next < 0 ? bytes.length : next + 1;
    }
  }
  return wrapped + slice(offset, bytes.length);
}
