import { layoutParts } from "./layout.ts";
import { GoTime } from "./value.ts";
import { zoneName } from "./zone-names.ts";

/** English names, as Go prints and reads them. */
export const months = [
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
/** English names, Sunday first. */
export const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

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

/** A zone written as `+0200`, perhaps with a name after a space; undefined: a zone of the database. */
function fixedZone(zone: string): { readonly offset: number; readonly name: string } | undefined {
  const match = /^([-+])(\d\d)(\d\d)(\d\d)?(?: (.+))?$/.exec(zone);
  if (match === null) return undefined;
  const size = Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  return { offset: match[1] === "-" ? -size : size, name: match[5] ?? "" };
}

function zoneAt(zone: string, milliseconds: number): { readonly offset: number; readonly name: string } {
  if (zone === "UTC" || zone === "" || zone === "Local") return { offset: 0, name: "UTC" };
  const fixed = fixedZone(zone);
  if (fixed !== undefined) return fixed;
  const at = Math.min(Math.max(milliseconds, -8.64e15), 8.64e15);
  const part = (style: "longOffset" | "short") =>
    new Intl.DateTimeFormat("en-US", { timeZone: zone, timeZoneName: style })
      .formatToParts(at)
      .find((piece) => piece.type === "timeZoneName")?.value ?? "";
  const match = /GMT([-+])(\d\d):(\d\d)(?::(\d\d))?/.exec(part("longOffset"));
  const size = match === null ? 0 : Number(match[2]) * 3600 + Number(match[3]) * 60 + Number(match[4] ?? 0);
  const offset = match?.[1] === "-" ? -size : size;
  // Before railways each town had a time of its own. The database's first transitions are of about this year.
  if (at < Date.UTC(1847, 0)) return { offset, name: "LMT" };
  const short = part("short");
  return { offset, name: /^[A-Z]{2,5}$/.test(short) ? short : zoneName(zone, offset) };
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
export function toDays(year: number, month: number, day: number): number {
  const shifted = month <= 2 ? year - 1 : year;
  const era = Math.floor(shifted / 400);
  const ofEra = shifted - era * 400;
  const ofYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146097 + ofEra * 365 + Math.floor(ofEra / 4) - Math.floor(ofEra / 100) + ofYear - 719468;
}

/** The date of a number of days since 1970. */
export function fromDays(days_: number): { readonly year: number; readonly month: number; readonly day: number } {
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
      return time.zone === "" ? offsetText(time.offset, "-0700") : time.zone;
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
