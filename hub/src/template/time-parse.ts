import { type LayoutPart, layoutParts } from "./layout.ts";
import { days, fixedOffset, fromDays, months, toDays } from "./time.ts";
import { CallError, GoTime } from "./value.ts";

interface Parsed {
  year: number;
  month: number;
  day: number;
  yearDay: number;
  hour: number;
  minute: number;
  second: number;
  nanoseconds: bigint;
  pm: boolean | undefined;
  zone: string;
}

/** Go's time.Parse; where no zone is written, the local one, which is UTC. Throws CallError. */
export function parseTime(layout: string, value: string): GoTime {
  const parsed: Parsed = {
    year: 0,
    month: 0,
    day: 0,
    yearDay: 0,
    hour: 0,
    minute: 0,
    second: 0,
    nanoseconds: 0n,
    pm: undefined,
    zone: "Local",
  };
  const bad = (): never => {
    throw new CallError(`parsing time ${JSON.stringify(value)} as ${JSON.stringify(layout)}: cannot parse`);
  };
  let rest = value;
  for (const [index, part, parts] of layoutParts(layout).map((one, at, all) => [at, one, all] as const)) {
    if ("text" in part) {
      const expected = part.text.replaceAll(/ +/g, " ");
      const taken = takeText(rest, expected);
      rest = taken ?? bad();
    } else {
      rest = parseElement({ element: part.element, rest, next: parts[index + 1] }, parsed) ?? bad();
    }
  }
  if (rest !== "") bad();
  return assemble(parsed) ?? bad();
}

function takeText(rest: string, expected: string): string | undefined {
  let left = rest;
  for (const character of expected) {
    if (character === " ") {
      if (left !== "" && !left.startsWith(" ")) return undefined;
      left = left.replace(/^ +/, "");
    } else {
      if (!left.startsWith(character)) return undefined;
      left = left.slice(character.length);
    }
  }
  return left;
}

const patterns: Readonly<Record<string, RegExp>> = {
  "2006": /^\d{4}/,
  "06": /^\d{2}/,
  "1": /^\d{1,2}/,
  "01": /^\d{2}/,
  "2": /^\d{1,2}/,
  _2: /^ ?\d{1,2}/,
  "02": /^\d{2}/,
  __2: /^ {0,2}\d{1,3}/,
  "002": /^\d{3}/,
  "15": /^\d{1,2}/,
  "3": /^\d{1,2}/,
  "03": /^\d{2}/,
  "4": /^\d{1,2}/,
  "04": /^\d{2}/,
  "5": /^\d{1,2}/,
  "05": /^\d{2}/,
  January: new RegExp(`^(?:${months.join("|")})`, "i"),
  Jan: new RegExp(`^(?:${months.map((name) => name.slice(0, 3)).join("|")})`, "i"),
  Monday: new RegExp(`^(?:${days.join("|")})`, "i"),
  Mon: new RegExp(`^(?:${days.map((name) => name.slice(0, 3)).join("|")})`, "i"),
  PM: /^(?:AM|PM)/,
  pm: /^(?:am|pm)/,
  MST: /^(?:UTC|[A-Z]{3,5}|[-+]\d{2}(?:\d{2})?)/,
};

function parseElement(
  given: { readonly element: string; readonly rest: string; readonly next: LayoutPart | undefined },
  into: Parsed,
): string | undefined {
  const { element, rest } = given;
  if (/^[.,]/.test(element)) return parseFraction(element, rest, into);
  if (/^[Z-]/.test(element)) return parseOffset(element, rest, into);
  const match = patterns[element]?.exec(rest)?.[0];
  if (match === undefined) return undefined;
  assign(element, match.trim(), into);
  const left = rest.slice(match.length);
  // Seconds may carry a fraction that the layout does not mention.
  if (element !== "5" && element !== "05") return left;
  if (given.next !== undefined && "element" in given.next && /^[.,]/.test(given.next.element)) return left;
  const fraction_ = /^[.,]\d+/.exec(left)?.[0];
  return fraction_ === undefined ? left : parseFraction(fraction_, left, into);
}

function assign(element: string, text: string, into: Parsed): void {
  const number = Number(text);
  const monthOf = () =>
    months.findIndex((name) => name.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase()) + 1;
  switch (element) {
    case "2006":
      into.year = number;
      break;
    case "06":
      into.year = number >= 69 ? number + 1900 : number + 2000;
      break;
    case "1":
    case "01":
      into.month = number;
      break;
    case "January":
    case "Jan":
      into.month = monthOf();
      break;
    case "2":
    case "_2":
    case "02":
      into.day = number;
      break;
    case "__2":
    case "002":
      into.yearDay = number;
      break;
    case "15":
    case "3":
    case "03":
      into.hour = number;
      break;
    case "4":
    case "04":
      into.minute = number;
      break;
    case "5":
    case "05":
      into.second = number;
      break;
    case "PM":
    case "pm":
      into.pm = text.toLowerCase() === "pm";
      break;
    default:
      break;
  }
}

function parseFraction(element: string, rest: string, into: Parsed): string | undefined {
  const match = /^[.,](\d+)/.exec(rest);
  if (element[1] === "9" && match === null) return rest;
  const digits = match?.[1];
  if (digits === undefined || (element[1] === "0" && digits.length < element.length - 1)) return undefined;
  const kept = element[1] === "0" ? digits.slice(0, element.length - 1) : digits;
  into.nanoseconds = BigInt(kept.slice(0, 9).padEnd(9, "0"));
  return rest.slice(kept.length + 1);
}

function parseOffset(element: string, rest: string, into: Parsed): string | undefined {
  if (element.startsWith("Z") && rest.startsWith("Z")) {
    into.zone = "UTC";
    return rest.slice(1);
  }
  const style = element.replace("Z", "-");
  const pattern =
    style.length === 3
      ? /^([-+])(\d\d)/
      : style.length === 5
        ? /^([-+])(\d\d)(\d\d)/
        : style.length === 6
          ? /^([-+])(\d\d):(\d\d)/
          : style.includes(":")
            ? /^([-+])(\d\d):(\d\d):(\d\d)/
            : /^([-+])(\d\d)(\d\d)(\d\d)/;
  const match = pattern.exec(rest);
  if (match === null) return undefined;
  const zone = `${match[1]}${match[2]}${match[3] ?? "00"}${match[4] ?? ""}`;
  into.zone = fixedOffset(zone) === 0 ? "UTC" : zone;
  return rest.slice(match[0].length);
}

function assemble(parsed: Parsed): GoTime | undefined {
  const { year, minute, second } = parsed;
  let { month, day, hour } = parsed;
  if (parsed.pm !== undefined) hour = parsed.pm ? (hour < 12 ? hour + 12 : hour) : hour === 12 ? 0 : hour;
  if (parsed.yearDay > 0) ({ month, day } = fromDays(toDays(year, 1, 1) + parsed.yearDay - 1));
  month ||= 1;
  day ||= 1;
  const length = toDays(month === 12 ? year + 1 : year, (month % 12) + 1, 1) - toDays(year, month, 1);
  if (month > 12 || day > length || hour > 23 || minute > 59 || second > 59) return undefined;
  const seconds = BigInt(toDays(year, month, day)) * 86400n + BigInt(hour * 3600 + minute * 60 + second);
  const offset = fixedOffset(parsed.zone) ?? 0;
  return new GoTime((seconds - BigInt(offset)) * 1_000_000_000n + parsed.nanoseconds, parsed.zone);
}
