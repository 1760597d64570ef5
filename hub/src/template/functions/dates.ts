import { durationText, durationTrouble, parseDuration } from "../duration.ts";
import { formatTime, isZone, zeroTime } from "../time.ts";
import { parseTime } from "../time-parse.ts";
import { type CallContext, CallError, GoInt, type GoObject, GoTime, goInt, goInt64, type Value } from "../value.ts";
import { define, type FunctionTable, fail, text } from "./define.ts";

const modify = define("string time", ([duration, time]) => shifted(timeOf(time), parseDuration(text(duration)) ?? 0n));
const mustModify = define("string time", ([duration, time]) => {
  const by = parseDuration(text(duration));
  return by === undefined ? fail(durationTrouble(text(duration))) : shifted(timeOf(time), by);
});
const inZone = define("string any string", ([layout, time, zone], context) =>
  format({ layout: text(layout), time, zone: text(zone) }, context),
);

/** Sprig's dates. The local zone is UTC. What asks for the present fails where the render may not know it. */
export const dateFunctions: FunctionTable = {
  now: define("", (_, context) => new GoTime(BigInt(context.now()) * 1_000_000n, "UTC")),
  ago: define("any", ([time], context) => {
    const since = BigInt(context.now()) * 1_000_000n - moment(time, context).nanoseconds;
    return durationText(((since + 500_000_000n) / 1_000_000_000n) * 1_000_000_000n);
  }),
  date: define("string any", ([layout, time], context) => format({ layout: text(layout), time, zone: "UTC" }, context)),
  date_in_zone: inZone,
  dateInZone: inZone,
  date_modify: modify,
  dateModify: modify,
  must_date_modify: mustModify,
  mustDateModify: mustModify,
  htmlDate: define("any", ([time], context) => format({ layout: "2006-01-02", time, zone: "UTC" }, context)),
  htmlDateInZone: define("any string", ([time, zone], context) =>
    format({ layout: "2006-01-02", time, zone: text(zone) }, context),
  ),
  toDate: define("string string", ([layout, value]) => {
    try {
      return parseTime(text(layout), text(value));
    } catch (thrown) {
      if (thrown instanceof CallError) return zeroTime;
      throw thrown;
    }
  }),
  mustToDate: define("string string", ([layout, value]) => parseTime(text(layout), text(value))),
  unixEpoch: define("time", ([time]) => String(unixSeconds(timeOf(time)))),
  duration: define("any", ([seconds]) => {
    const count =
      typeof seconds === "string" && /^[-+]?\d+$/.test(seconds)
        ? BigInt(seconds)
        : seconds instanceof GoInt && seconds.type === "int64"
          ? seconds.value
          : 0n;
    return durationText(BigInt.asIntN(64, count * 1_000_000_000n));
  }),
  durationRound: define("any", ([value], context) => roundDuration(durationOf(value, context))),
};

function timeOf(value: Value): GoTime {
  return value instanceof GoTime ? value : fail("a time was expected");
}

function unixSeconds(time: GoTime): bigint {
  const quotient = time.nanoseconds / 1_000_000_000n;
  return time.nanoseconds % 1_000_000_000n < 0n ? quotient - 1n : quotient;
}

function shifted(time: GoTime, by: bigint): GoTime {
  return new GoTime(time.nanoseconds + by, time.zone);
}

/** A time, or seconds since 1970; anything else is the present. */
function moment(value: Value, context: CallContext): GoTime {
  if (value instanceof GoTime) return value;
  if (value instanceof GoInt && ["int", "int64", "int32"].includes(value.type))
    return new GoTime(value.value * 1_000_000_000n, "UTC");
  return new GoTime(BigInt(context.now()) * 1_000_000n, "UTC");
}

function format(
  given: { readonly layout: string; readonly time: Value; readonly zone: string },
  context: CallContext,
): string {
  const zone = given.zone === "Local" || given.zone === "" || !isZone(given.zone) ? "UTC" : given.zone;
  return formatTime(new GoTime(moment(given.time, context).nanoseconds, zone), given.layout);
}

function durationOf(value: Value, context: CallContext): bigint {
  if (typeof value === "string") return parseDuration(value) ?? 0n;
  if (value instanceof GoInt && value.type === "int64") return value.value;
  return value instanceof GoTime ? BigInt(context.now()) * 1_000_000n - value.nanoseconds : 0n;
}

const hour = 3_600_000_000_000n;
const units: readonly (readonly [bigint, string])[] = [
  [hour * 24n * 365n, "y"],
  [hour * 24n * 30n, "mo"],
  [hour * 24n, "d"],
  [hour, "h"],
  [hour / 60n, "m"],
  [hour / 3600n, "s"],
];

function roundDuration(duration: bigint): string {
  const size = duration < 0n ? -duration : duration;
  const unit = units.find(([length]) => size > length);
  return unit === undefined ? "0s" : `${size / unit[0]}${unit[1]}`;
}

/** The methods of a time that templates use. */
export function timeObject(time: GoTime): GoObject {
  const layout = (pattern: string) => Number(formatTime(time, pattern));
  const nothing = (call: () => Value) => define("", call);
  const object: GoObject = {
    goType: "time.Time",
    goKind: "struct",
    toText: () => formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST"),
    parts: [],
    copied: () => object,
    fields: {},
    methods: {
      Format: define("string", ([pattern]) => formatTime(time, text(pattern))),
      String: nothing(() => formatTime(time, "2006-01-02 15:04:05.999999999 -0700 MST")),
      Unix: nothing(() => goInt64(unixSeconds(time))),
      UnixNano: nothing(() => goInt64(time.nanoseconds)),
      UnixMilli: nothing(() => goInt64(time.nanoseconds / 1_000_000n)),
      Year: nothing(() => goInt(layout("2006"))),
      Day: nothing(() => goInt(layout("2"))),
      Hour: nothing(() => goInt(layout("15"))),
      Minute: nothing(() => goInt(layout("4"))),
      Second: nothing(() => goInt(layout("5"))),
      YearDay: nothing(() => goInt(layout("002"))),
      IsZero: nothing(() => time.nanoseconds === zeroTime.nanoseconds),
      UTC: nothing(() => new GoTime(time.nanoseconds, "UTC")),
      Before: define("time", ([other]) => time.nanoseconds < timeOf(other).nanoseconds),
      After: define("time", ([other]) => time.nanoseconds > timeOf(other).nanoseconds),
      Equal: define("time", ([other]) => time.nanoseconds === timeOf(other).nanoseconds),
      AddDate: define("int int int", ([years, months, days]) =>
        addDate(
          time,
          [years, months, days].map((part) => Number(part instanceof GoInt ? part.value : 0n)),
        ),
      ),
    },
  };
  return object;
}

/** Adds years, months and days; what runs over a month's end goes on into the next. */
function addDate(time: GoTime, parts: readonly number[]): GoTime {
  const [years = 0, months = 0, days = 0] = parts;
  const date = new Date(0);
  const [year = 0, month = 1, day = 1] = formatTime(time, "2006 1 2").split(" ").map(Number);
  date.setUTCFullYear(year + years, month - 1 + months, day + days);
  const before = new Date(0);
  before.setUTCFullYear(year, month - 1, day);
  return new GoTime(time.nanoseconds + BigInt(date.getTime() - before.getTime()) * 1_000_000n, time.zone);
}
