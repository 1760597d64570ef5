import { Fault } from "../fault/fault.ts";
import type { Instant } from "./clock.ts";

/** Inclusive bounds of the five fields, in their order. */
const fields = [
  { name: "minute", low: 0, high: 59, words: [] },
  { name: "hour", low: 0, high: 23, words: [] },
  { name: "day of month", low: 1, high: 31, words: [] },
  {
    name: "month",
    low: 1,
    high: 12,
    words: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { name: "day of week", low: 0, high: 7, words: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
] as const;

type Field = (typeof fields)[number];

/** A parsed schedule: which values each field takes. */
interface Schedule {
  readonly values: readonly ReadonlySet<number>[];
  /** Whether day of month and day of week were both narrowed: then one of them is enough. */
  readonly eitherDay: boolean;
}

const minuteMs = 60_000;
const quarterMs = 15 * minuteMs;
/** The longest window that is looked back for: a month with a long night on each side. */
const longest = 40 * 24 * 60 * minuteMs;

/**
 * The start (of the last `within` milliseconds) at which a five-field cron schedule, read in an IANA time zone, fired;
 * undefined where it did not. A `bad-input` fault for a schedule or zone that cannot be read.
 */
export function lastStart(
  schedule: string,
  timeZone: string,
  at: { readonly now: Instant; readonly within: number },
): Instant | undefined | Fault {
  const search = searchOf(schedule, timeZone);
  if (search instanceof Fault) return search;
  const first = at.now - Math.min(at.within, longest);
  for (let quarter = floor(at.now, quarterMs); quarter > first - quarterMs; quarter -= quarterMs) {
    if (!search.mayFire(quarter)) continue;
    for (let minute = quarter + quarterMs - minuteMs; minute >= quarter; minute -= minuteMs) {
      if (minute <= at.now && minute > first && search.fires(minute)) return minute;
    }
  }
  return undefined;
}

/** The first start after `now`, at most `within` (and 40 days) ahead; else as `lastStart`. */
export function nextStart(
  schedule: string,
  timeZone: string,
  at: { readonly now: Instant; readonly within: number },
): Instant | undefined | Fault {
  const search = searchOf(schedule, timeZone);
  if (search instanceof Fault) return search;
  const end = at.now + Math.min(at.within, longest);
  for (let quarter = floor(at.now, quarterMs); quarter <= end; quarter += quarterMs) {
    if (!search.mayFire(quarter)) continue;
    for (let minute = quarter; minute < quarter + quarterMs; minute += minuteMs) {
      if (minute > at.now && minute <= end && search.fires(minute)) return minute;
    }
  }
  return undefined;
}

/** What is wrong with a schedule or a zone; undefined: nothing. */
export function cronFault(schedule: string, timeZone: string): Fault | undefined {
  const search = searchOf(schedule, timeZone);
  return search instanceof Fault ? search : undefined;
}

interface Search {
  fires(at: Instant): boolean;
  /** False: no minute of the quarter of an hour that begins then fires. */
  mayFire(quarter: Instant): boolean;
}

function searchOf(schedule: string, timeZone: string): Search | Fault {
  const parsed = parse(schedule);
  if (parsed instanceof Fault) return parsed;
  const clock = wallClock(timeZone);
  if (clock instanceof Fault) return clock;
  const hours = parsed.values[1];
  return {
    fires: (at) => fires(parsed, clock(at)),
    mayFire: (quarter) => hours?.has(clock(quarter)[1]) === true,
  };
}

function floor(at: Instant, unit: number): Instant {
  return Math.floor(at / unit) * unit;
}

/** minute, hour, day of month, month, day of week (0 is Sunday). */
type Wall = readonly [number, number, number, number, number];

function fires({ values, eitherDay }: Schedule, wall: Wall): boolean {
  const has = (field: number) => values[field]?.has(wall[field] ?? -1) === true;
  const day = eitherDay ? has(2) || has(4) : has(2) && has(4);
  return has(0) && has(1) && has(3) && day;
}

/** Wall times of a zone. Its offset is asked for once a quarter of an hour: no zone changes within one. */
function wallClock(timeZone: string): ((at: Instant) => Wall) | Fault {
  let format: Intl.DateTimeFormat;
  try {
    format = new Intl.DateTimeFormat("en-US", { timeZone, hourCycle: "h23", dateStyle: "short", timeStyle: "medium" });
  } catch (cause) {
    return new Fault("bad-input", { message: `expected an IANA time zone, found ${JSON.stringify(timeZone)}.`, cause });
  }
  let known = { quarter: Number.NaN, offset: 0 };
  return (at) => {
    const start = floor(at, quarterMs);
    if (known.quarter !== start) known = { quarter: start, offset: offsetOf(format, start) };
    const shifted = new Date(at + known.offset);
    const date = [shifted.getUTCDate(), shifted.getUTCMonth() + 1, shifted.getUTCDay()] as const;
    return [shifted.getUTCMinutes(), shifted.getUTCHours(), ...date];
  };
}

function offsetOf(format: Intl.DateTimeFormat, at: Instant): number {
  const part = new Map(format.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  const get = (type: Intl.DateTimeFormatPartTypes) => part.get(type) ?? 0;
  const year = get("year") < 100 ? 2000 + get("year") : get("year");
  return Date.UTC(year, get("month") - 1, get("day"), get("hour"), get("minute"), get("second")) - at;
}

function parse(schedule: string): Schedule | Fault {
  const texts = schedule.trim().split(/\s+/);
  if (texts.length !== fields.length) return refused(schedule, `it has ${texts.length} fields, not 5`);
  const values: ReadonlySet<number>[] = [];
  for (const [at, field] of fields.entries()) {
    const set = parseField(texts[at] ?? "", field);
    if (set === undefined) return refused(schedule, `its ${field.name} is ${JSON.stringify(texts[at])}`);
    values.push(set);
  }
  if (values[4]?.has(7)) values[4] = new Set([...values[4], 0]);
  return { values, eitherDay: !texts[2]?.startsWith("*") && !texts[4]?.startsWith("*") };
}

function parseField(text: string, field: Field): Set<number> | undefined {
  const values = new Set<number>();
  for (const item of text.toLowerCase().split(",")) {
    const match = /^(?:(\*|\?)|([a-z0-9]+)(?:-([a-z0-9]+))?)(?:\/([1-9][0-9]*))?$/.exec(item);
    if (match === null) return undefined;
    const [, star, from, to, step] = match;
    const low = star === undefined ? number(from, field) : field.low;
    const open = star !== undefined || (step !== undefined && to === undefined);
    const high = open ? field.high : to === undefined ? low : number(to, field);
    if (low === undefined || high === undefined || low > high) return undefined;
    for (let value = low; value <= high; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

function number(text: string | undefined, field: Field): number | undefined {
  const word = (field.words as readonly string[]).indexOf(text ?? "");
  const value =
    word >= 0 ? word + (field.name === "month" ? 1 : 0) : /^[0-9]+$/.test(text ?? "") ? Number(text) : Number.NaN;
  return value >= field.low && value <= field.high ? value : undefined;
}

function refused(schedule: string, why: string): Fault {
  return new Fault("bad-input", {
    message: `the schedule ${JSON.stringify(schedule)} cannot be read: ${why}.`,
    next: "Write five cron fields.",
  });
}
