import { byteText } from "./bytes.ts";
import { layoutParts } from "./layout.ts";
import { quoteBytes } from "./quote.ts";
import { days, fromDays, months, toDays } from "./time.ts";
import { CallError, GoTime } from "./value.ts";

interface Parsed {
  year: number;
  month: number | undefined;
  day: number | undefined;
  yearDay: number | undefined;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: bigint;
  /** Hours to add in the afternoon, or to take away at midnight. */
  half: "am" | "pm" | undefined;
  utc: boolean;
  /** Seconds east of UTC. */
  offset: number | undefined;
  zoneName: string;
}

/** What an element left of the value; a text: what is out of range. Undefined: the element is not there. */
type Taken = { readonly rest: string; readonly outOfRange?: string } | undefined;

/** Go's time.Parse; where no zone is written, the local one, which is UTC. Throws CallError. */
export function parseTime(layout: string, value: string): GoTime {
  const whole = { layout: byteText(layout), value: byteText(value) };
  const parsed: Parsed = {
    year: 0,
    month: undefined,
    day: undefined,
    yearDay: undefined,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0n,
    half: undefined,
    utc: false,
    offset: undefined,
    zoneName: "",
  };
  const rest = parseParts(whole, parsed);
  if (rest !== "") throw new CallError(`parsing time ${quoteBytes(whole.value)}: extra text: ${quoteBytes(rest)}`);
  const trouble = settleDay(parsed);
  if (trouble !== undefined) throw new CallError(`parsing time ${quoteBytes(whole.value)}: ${trouble}`);
  return momentOf(parsed);
}

function parseParts(whole: { readonly layout: string; readonly value: string }, parsed: Parsed): string {
  const cannot = (rest: string, element: string) =>
    new CallError(
      `parsing time ${quoteBytes(whole.value)} as ${quoteBytes(whole.layout)}: cannot parse ${quoteBytes(rest)} as ${quoteBytes(element)}`,
    );
  let rest = whole.value;
  const parts = layoutParts(whole.layout);
  for (const [index, part] of parts.entries()) {
    if ("text" in part) {
      const skipped = skipText(rest, part.text);
      if (!skipped.found) throw cannot(skipped.rest, part.text);
      rest = skipped.rest;
      continue;
    }
    const next = parts[index + 1];
    const hasFraction = next !== undefined && "element" in next && /^[.,]/.test(next.element);
    const taken = takeElement({ element: part.element, rest, hasFraction }, parsed);
    if (taken?.outOfRange !== undefined)
      throw new CallError(`parsing time ${quoteBytes(whole.value)}: ${taken.outOfRange} out of range`);
    if (taken === undefined) throw cannot(rest, part.element);
    rest = taken.rest;
  }
  return rest;
}

/** A run of spaces in the layout takes any run of spaces. */
function skipText(value: string, text: string): { readonly rest: string; readonly found: boolean } {
  let rest = value;
  for (let at = 0; at < text.length; ) {
    if (text[at] === " ") {
      if (rest !== "" && !rest.startsWith(" ")) return { rest, found: false };
      while (text[at] === " ") at += 1;
      rest = rest.replace(/^ +/, "");
    } else {
      if (rest === "" || rest[0] !== text[at]) return { rest, found: false };
      at += 1;
      rest = rest.slice(1);
    }
  }
  return { rest, found: true };
}

/** Digits at the start: as many as `pattern` says. */
function number(rest: string, pattern: RegExp): { readonly value: number; readonly rest: string } | undefined {
  const match = pattern.exec(rest);
  return match === null ? undefined : { value: Number(match[0]), rest: rest.slice(match[0].length) };
}

const short = (names: readonly string[]) => names.map((name) => name.slice(0, 3));

function lookUp(names: readonly string[], rest: string): { readonly index: number; readonly rest: string } | undefined {
  const index = names.findIndex((name) => rest.slice(0, name.length).toLowerCase() === name.toLowerCase());
  return index < 0 ? undefined : { index, rest: rest.slice(names[index]?.length) };
}

interface Element {
  readonly element: string;
  readonly rest: string;
  /** The layout goes on with a fraction of the second. */
  readonly hasFraction: boolean;
}

function takeElement(given: Element, into: Parsed): Taken {
  const { element, rest } = given;
  if (/^[.,]/.test(element)) return takeFraction(element, rest, into);
  if (/^[Z-]/.test(element)) return takeOffset(element, rest, into);
  switch (element) {
    case "PM":
    case "pm": {
      const written = rest.slice(0, 2);
      if (written.toLowerCase() !== "am" && written.toLowerCase() !== "pm") return undefined;
      if ((element === "PM") !== (written === written.toUpperCase()) || !/^(?:[AP]M|[ap]m)$/.test(written))
        return undefined;
      if (written.toLowerCase() === "pm") into.half = "pm";
      else into.half ??= "am";
      return { rest: rest.slice(2) };
    }
    case "MST":
      return takeZoneName(rest, into);
    case "Mon":
    case "Monday":
      return lookUp(element === "Mon" ? short(days) : days, rest);
    case "Jan":
    case "January": {
      const found = lookUp(element === "Jan" ? short(months) : months, rest);
      if (found !== undefined) into.month = found.index + 1;
      return found;
    }
    default:
      return takeNumber(given, into);
  }
}

function takeNumber(given: Element, into: Parsed): Taken {
  const { element, rest } = given;
  const bare = element === "_2" ? rest.replace(/^ /, "") : element === "__2" ? rest.replace(/^ {0,2}/, "") : rest;
  const found = number(bare, patternOf(element));
  if (found === undefined) return undefined;
  const { value } = found;
  const ranged = (what: string, holds: boolean): Taken => (holds ? found : { ...found, outOfRange: what });
  switch (element) {
    case "2006":
      into.year = value;
      return found;
    case "06":
      into.year = value + (value >= 69 ? 1900 : 2000);
      return found;
    case "1":
    case "01":
      into.month = value;
      return ranged("month", value >= 1 && value <= 12);
    case "2":
    case "_2":
    case "02":
      into.day = value;
      return found;
    case "__2":
    case "002":
      into.yearDay = value;
      return found;
    case "15":
      into.hour = value;
      return ranged("hour", value < 24);
    case "3":
    case "03":
      into.hour = value;
      return ranged("hour", value <= 12);
    case "4":
    case "04":
      into.minute = value;
      return ranged("minute", value < 60);
    default:
      into.second = value;
      return value < 60 ? withFraction(found.rest, given.hasFraction, into) : ranged("second", false);
  }
}

function patternOf(element: string): RegExp {
  if (element === "2006") return /^\d{4}/;
  if (element === "002") return /^\d{3}/;
  if (element === "__2") return /^\d{1,3}/;
  return /^0|^06$/.test(element) ? /^\d\d/ : /^\d{1,2}/;
}

/** Seconds may carry a fraction that the layout does not mention. */
function withFraction(rest: string, hasFraction: boolean, into: Parsed): Taken {
  const fraction = hasFraction ? undefined : /^[.,]\d+/.exec(rest)?.[0];
  if (fraction === undefined) return { rest };
  into.nanoseconds = nanoseconds(fraction);
  return { rest: rest.slice(fraction.length) };
}

function nanoseconds(fraction: string): bigint {
  return BigInt(fraction.slice(1, 10).padEnd(9, "0"));
}

function takeFraction(element: string, rest: string, into: Parsed): Taken {
  const pattern = element[1] === "0" ? new RegExp(`^[.,]\\d{${element.length - 1}}`) : /^[.,]\d+/;
  const fraction = pattern.exec(rest)?.[0];
  if (fraction === undefined) return element[1] === "0" ? undefined : { rest };
  into.nanoseconds = nanoseconds(fraction);
  return { rest: rest.slice(fraction.length) };
}

function takeOffset(element: string, rest: string, into: Parsed): Taken {
  if (element.startsWith("Z") && rest.startsWith("Z")) {
    into.utc = true;
    return { rest: rest.slice(1) };
  }
  const size = element.replace(/^Z/, "-").length;
  const shape = element.includes(":")
    ? size === 6
      ? /^(.)(..):(..)/
      : /^(.)(..):(..):(..)/
    : size === 3
      ? /^(.)(..)/
      : size === 5
        ? /^(.)(..)(..)/
        : /^(.)(..)(..)(..)/;
  const match = shape.exec(rest);
  if (match === null) return undefined;
  const left = rest.slice(match[0].length);
  const parts = [match[2], match[3] ?? "00", match[4] ?? "00"].map((part) =>
    /^\d\d$/.test(part ?? "") ? Number(part) : -1,
  );
  const [hours = 0, minutes = 0, seconds = 0] = parts;
  if (hours > 24) return { rest: left, outOfRange: "time zone offset hour" };
  if (minutes > 60 && hours >= 0) return { rest: left, outOfRange: "time zone offset minute" };
  if (parts.some((part) => part < 0) || !/[-+]/.test(match[1] ?? "")) return undefined;
  if (seconds > 60) return { rest: left, outOfRange: "time zone offset second" };
  const offset = (hours * 60 + minutes) * 60 + seconds;
  into.offset = match[1] === "-" ? -offset : offset;
  return { rest: left };
}

/** Three letters, four that end in T, five with a rule of their own, `GMT+3`, or `+03`. */
function takeZoneName(rest: string, into: Parsed): Taken {
  if (rest.startsWith("UTC")) {
    into.utc = true;
    return { rest: rest.slice(3) };
  }
  const name = zoneNameAt(rest);
  if (name === undefined) return undefined;
  into.zoneName = name;
  return { rest: rest.slice(name.length) };
}

function zoneNameAt(rest: string): string | undefined {
  if (rest.length < 3) return undefined;
  const special = /^(?:ChST|MeST)/.exec(rest)?.[0];
  if (special !== undefined) return special;
  if (rest.startsWith("GMT")) return `GMT${signedHours(rest.slice(3)) ?? ""}`;
  if (/^[-+]/.test(rest)) return signedHours(rest);
  const letters = /^[A-Z]{1,6}/.exec(rest)?.[0] ?? "";
  if (letters.length === 3) return letters;
  if (letters.length === 4 && (letters.endsWith("T") || letters === "WITA")) return letters;
  return letters.length === 5 && letters.endsWith("T") ? letters : undefined;
}

function signedHours(text: string): string | undefined {
  const written = /^[-+]\d+/.exec(text)?.[0];
  return written !== undefined && Math.abs(Number(written)) < 24 ? written : undefined;
}

/** Completes month and day. A text: what is wrong with them. */
function settleDay(parsed: Parsed): string | undefined {
  const { year, yearDay } = parsed;
  const lengthOf = (month: number) =>
    toDays(month === 12 ? year + 1 : year, (month % 12) + 1, 1) - toDays(year, month, 1);
  if (yearDay !== undefined) {
    if (yearDay < 1 || yearDay > toDays(year + 1, 1, 1) - toDays(year, 1, 1)) return "day-of-year out of range";
    const { month, day } = fromDays(toDays(year, 1, 1) + yearDay - 1);
    if (parsed.month !== undefined && parsed.month !== month) return "day-of-year does not match month";
    if (parsed.day !== undefined && parsed.day !== day) return "day-of-year does not match day";
    parsed.month = month;
    parsed.day = day;
  }
  parsed.month ??= 1;
  parsed.day ??= 1;
  return parsed.day < 1 || parsed.day > lengthOf(parsed.month) ? "day out of range" : undefined;
}

function momentOf(parsed: Parsed): GoTime {
  const { year, month = 1, day = 1, minute, second, half, zoneName } = parsed;
  const hour = parsed.hour + (half === "pm" && parsed.hour < 12 ? 12 : half === "am" && parsed.hour === 12 ? -12 : 0);
  const seconds = BigInt(toDays(year, month, day)) * 86400n + BigInt(hour * 3600 + minute * 60 + second);
  const at = (offset: number, zone: string) =>
    new GoTime((seconds - BigInt(offset)) * 1_000_000_000n + parsed.nanoseconds, zone);
  if (parsed.utc) return at(0, "UTC");
  if (parsed.offset !== undefined) {
    if (parsed.offset === 0 && (zoneName === "" || zoneName === "UTC")) return at(0, "Local");
    return at(parsed.offset, fixedZone(parsed.offset, zoneName));
  }
  if (zoneName === "") return at(0, "Local");
  const hours = zoneName.startsWith("GMT") && zoneName.length > 3 ? Number(zoneName.slice(3)) : 0;
  // Go only notes the offset of such a name: the time of day is taken as that of UTC.
  return at(0, fixedZone(hours * 3600, zoneName));
}

/** A zone that is an offset: `+0200`, and perhaps a name after a space. */
function fixedZone(offset: number, name: string): string {
  const size = Math.abs(offset);
  const two = (value: number) => String(value).padStart(2, "0");
  const seconds = size % 60 === 0 ? "" : two(size % 60);
  const text = `${offset < 0 ? "-" : "+"}${two(Math.floor(size / 3600))}${two(Math.floor(size / 60) % 60)}${seconds}`;
  return name === "" ? text : `${text} ${name}`;
}
