import { type LayoutPart, layoutParts } from "./layout.ts";
import { CallError, GoTime } from "./value.ts";

const months = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
];
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

/** A moment taken apart in its zone. */
interface Civil {
  readonly year: number;
  /** 1 to 12. */
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
  readonly nanosecond: number;
  readonly weekday: number;
  readonly yearDay: number;
  /** Seconds east of UTC. */
  readonly offset: number;
  readonly zone: string;
}

/** Go's zero time, the first of January of year 1. */
export const zeroTime = new GoTime(-62135596800n * 1_000_000_000n, "UTC");

/** Whether the machine's zone database knows a zone. */
export function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

function fixedOffset(zone: string): number | undefined {
  const match = /^([-+])(\d\d)(\d\d)(\d\d)?$/.exec(zone);
  if (match === null) return undefined;
  const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return match[1] === "-" ? -size : size;
}

function zoneAt(zone: string, milliseconds: number): { readonly offset: number; readonly name: string } {
  if (zone === "UTC" || zone === "" || zone === "Local") return { offset: 0, name: "UTC" };
  const fixed = fixedOffset(zone);
  if (fixed !== undefined) return { offset: fixed, name: "" };
  const at = Math.min(Math.max(milliseconds, -8.64e15), 8.64e15);
  const part = (style: "longOffset" | "short") =>
    new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: style })
      .formatToParts(at)
      .find((piece) => piece.type === "timeZoneName")?.value ?? "";
  const match = /GMT([-+])(\d\d):(\d\d)(?::(\d\d))?/.exec(part("longOffset"));
  const size = match === null ? 0 : Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  const offset = match?.[1] === "-" ? -size : size;
  const short = part("short");
  return { offset, name: /^[A-Z]{2,5}$/.test(short) ? short : europeanName(zone, offset) };
}

/** Names that English formatting leaves out. */
function europeanName(zone: string, offset: number): string {
  if (!zone.startsWith("Europe/")) return "";
  if (zone === "Europe/London") return offset === 0 ? "GMT" : "BST";
  return { 0: "WET", 3600: "CET", 7200: "CEST" }[offset] ?? "";
}

function civil(time: GoTime): Civil {
  const seconds = floorDivide(time.nanoseconds, 1_000_000_000n);
  const { offset, name } = zoneAt(time.zone, Number(seconds) * 1000);
  const local = seconds + BigInt(offset);
  const dayNumber = Number(floorDivide(local, 86400n));
  const rest = Number(local - BigInt(dayNumber) * 86400n);
  const date = fromDays(dayNumber);
  return {
    ...date,
    hour: Math.floor(rest / 3600),
    minute: Math.floor(rest / 60) % 60,
    second: rest % 60,
    nanosecond: Number(time.nanoseconds - seconds * 1_000_000_000n),
    weekday: (((dayNumber + 4) % 7) + 7) % 7,
    yearDay: dayNumber - toDays(date.year, 1, 1) + 1,
    offset,
    zone: name,
  };
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value % by < 0n ? quotient - 1n : quotient;
}

/** Days since 1970 of a date of the Gregorian calendar. */
function toDays(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719468;
}

function fromDays(days_: number): { readonly year: number; readonly month: number; readonly day: number } {
  const shifted = days_ + 719468;
  const era = Math.floor(shifted / 146097);
  const ofEra = shifted - era * 146097;
  const yearOfEra = Math.floor(
    (ofEra - Math.floor(ofEra / 1460) + Math.floor(ofEra / 36524) - Math.floor(ofEra / 146096)) / 365,
  );
  const ofYear = ofEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const monthPart = Math.floor((5 * ofYear + 2) / 153);
  const month = monthPart + (monthPart < 10 ? 3 : -9);
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: ofYear - Math.floor((153 * monthPart + 2) / 5) + 1,
  };
}

/** Go's time.Format. */
export function formatTime(time: GoTime, layout: string): string {
  const parts = civil(time);
  return layoutParts(layout)
    .map((part) => ("text" in part ? part.text : formatElement(parts, part.element)))
    .join("");
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

function formatElement(time: Civil, element: string): string {
  switch (element) {
    case "2006":
      return time.year < 0 ? `-${String(-time.year).padStart(4, "0")}` : String(time.year).padStart(4, "0");
    case "06":
      return two(((time.year % 100) + 100) % 100);
    case "January":
      return months[time.month - 1] ?? "";
    case "Jan":
      return (months[time.month - 1] ?? "").slice(0, 3);
    case "1":
      return String(time.month);
    case "01":
      return two(time.month);
    case "Monday":
      return days[time.weekday] ?? "";
    case "Mon":
      return (days[time.weekday] ?? "").slice(0, 3);
    case "2":
      return String(time.day);
    case "_2":
      return String(time.day).padStart(2, " ");
    case "02":
      return two(time.day);
    case "__2":
      return String(time.yearDay).padStart(3, " ");
    case "002":
      return String(time.yearDay).padStart(3, "0");
    default:
      return formatClock(time, element);
  }
}

function formatClock(time: Civil, element: string): string {
  const hour12 = time.hour % 12 === 0 ? 12 : time.hour % 12;
  switch (element) {
    case "15":
      return two(time.hour);
    case "3":
      return String(hour12);
    case "03":
      return two(hour12);
    case "4":
      return String(time.minute);
    case "04":
      return two(time.minute);
    case "5":
      return String(time.second);
    case "05":
      return two(time.second);
    case "PM":
      return time.hour >= 12 ? "PM" : "AM";
    case "pm":
      return time.hour >= 12 ? "pm" : "am";
    case "MST":
      return time.zone === "" ? offsetText(time.offset, time.offset % 3600 === 0 ? "-07" : "-0700") : time.zone;
    default:
      if (/^[.,]/.test(element)) return fraction(time.nanosecond, element);
      return element.startsWith("Z") && time.offset === 0 ? "Z" : offsetText(time.offset, element.replace("Z", "-"));
  }
}

function fraction(nanosecond: number, element: string): string {
  const digits = String(nanosecond)
    .padStart(9, "0")
    .slice(0, element.length - 1);
  if (element[1] === "0") return element[0] + digits.padEnd(element.length - 1, "0");
  const trimmed = digits.replace(/0+$/, "");
  return trimmed === "" ? "" : element[0] + trimmed;
}

function offsetText(offset: number, style: string): string {
  const size = Math.abs(offset);
  const colon = style.includes(":") ? ":" : "";
  const hours = `${offset < 0 ? "-" : "+"}${two(Math.floor(size / 3600))}`;
  if (style.length === 3) return hours;
  const minutes = `${hours}${colon}${two(Math.floor(size / 60) % 60)}`;
  return style.length > 6 ? `${minutes}${colon}${two(size % 60)}` : minutes;
}

/** As Go prints a time. */
export function timeText(time: GoTime): string {
  return formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST");
}

/** As Go's `%#v` prints a time. */
export function timeGoText(time: GoTime): string {
  const { year, month, day, hour, minute, second, nanosecond } = civil(time);
  const zone =
    time.zone === "Local"
      ? "time.Local"
      : time.zone === "UTC"
        ? "time.UTC"
        : `time.Location(${JSON.stringify(time.zone)})`;
  return `time.Date(${year}, time.${months[month - 1]}, ${day}, ${hour}, ${minute}, ${second}, ${nanosecond}, ${zone})`;
}

/** As Go's JSON holds a time. */
export function timeJson(time: GoTime): string {
  return formatTime(time, "2006-01-02T15:04:05.999999999Z07:00");
}

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

const unitNanoseconds: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Go's time.ParseDuration in nanoseconds; undefined: no duration. */
export function parseDuration(text: string): bigint | undefined {
  const match = /^([-+]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (match === null) return undefined;
  let total = 0n;
  for (const [, whole = "", fraction_ = "", unit = ""] of (match[2] ?? "").matchAll(
    /(\d*)(?:\.(\d*))?(ns|us|µs|μs|ms|s|m|h)/g,
  )) {
    const size = unitNanoseconds[unit] ?? 0n;
    total += BigInt(whole || "0") * size;
    if (fraction_ !== "") total += (BigInt(fraction_) * size) / 10n ** BigInt(fraction_.length);
  }
  if (total >= 2n ** 63n) return undefined;
  return match[1] === "-" ? -total : total;
}

/** Go's time.Duration.String. */
export function durationText(nanoseconds: bigint): string {
  if (nanoseconds === 0n) return "0s";
  const sign = nanoseconds < 0n ? "-" : "";
  const size = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const decimal = (value: bigint, unit: bigint) => {
    const rest = String(value % unit)
      .padStart(String(unit).length - 1, "0")
      .replace(/0+$/, "");
    return `${value / unit}${rest === "" ? "" : `.${rest}`}`;
  };
  if (size < 1000n) return `${sign}${size}ns`;
  if (size < 1_000_000n) return `${sign}${decimal(size, 1000n)}µs`;
  if (size < 1_000_000_000n) return `${sign}${decimal(size, 1_000_000n)}ms`;
  const minutes = size / 60_000_000_000n;
  const seconds = `${decimal(size % 60_000_000_000n, 1_000_000_000n)}s`;
  if (minutes === 0n) return sign + seconds;
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}
