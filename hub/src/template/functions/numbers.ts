import { add, type Decimal, decimalOf, divide, multiply, subtract, toFloat } from "../decimal.ts";
import { floatText } from "../float.ts";
import { sprint } from "../format.ts";
import { parseGoFloat, parseGoInt } from "../number.ts";
import { type CallContext, GoInt, GoList, goInt, goInt64, type Value } from "../value.ts";
import { define, type FunctionTable, fail, text, whole } from "./define.ts";

const int64Min = -(2n ** 63n);
const int64Max = 2n ** 63n - 1n;

/** Sprig's arithmetic: whole numbers wrap at 64 bits, float functions reckon in decimals. */
export const numberFunctions: FunctionTable = {
  atoi: define("string", ([value]) => goInt(atoi(text(value)))),
  int: define("any", ([value]) => goInt(toInt64(value))),
  int64: define("any", ([value]) => goInt64(toInt64(value))),
  float64: define("any", ([value]) => toFloat64(value)),
  toDecimal: define("any", ([value]) => goInt64(parseRadix(sprint([value]), 8) ?? 0n)),
  until: define("int", ([count], context) =>
    until({ start: 0, stop: whole(count), step: whole(count) < 0 ? -1 : 1 }, context),
  ),
  untilStep: define("int int int", ([start, stop, step], context) =>
    until({ start: whole(start), stop: whole(stop), step: whole(step) }, context),
  ),
  seq: define("...int", (values, context) => sequence(values.map(whole), context)),
  add1: define("any", ([value]) => goInt64(toInt64(value) + 1n)),
  add: define("...any", (values) => goInt64(values.reduce((sum: bigint, value) => sum + toInt64(value), 0n))),
  sub: define("any any", ([left, right]) => goInt64(toInt64(left) - toInt64(right))),
  div: define("any any", ([left, right]) => goInt64(toInt64(left) / divisor(right))),
  mod: define("any any", ([left, right]) => goInt64(toInt64(left) % divisor(right))),
  mul: define("any ...any", ([first, ...values]) =>
    values.reduce((product: GoInt, value) => goInt64(product.value * toInt64(value)), goInt64(toInt64(first))),
  ),
  biggest: define("any ...any", (values) => goInt64(values.map(toInt64).reduce((a, b) => (b > a ? b : a)))),
  max: define("any ...any", (values) => goInt64(values.map(toInt64).reduce((a, b) => (b > a ? b : a)))),
  min: define("any ...any", (values) => goInt64(values.map(toInt64).reduce((a, b) => (b < a ? b : a)))),
  maxf: define("any ...any", (values) =>
    values.map(toFloat64).reduce((a, b) => (a === Infinity || b === Infinity ? Infinity : Math.max(a, b))),
  ),
  minf: define("any ...any", (values) =>
    values.map(toFloat64).reduce((a, b) => (a === -Infinity || b === -Infinity ? -Infinity : Math.min(a, b))),
  ),
  ceil: define("any", ([value]) => Math.ceil(toFloat64(value))),
  floor: define("any", ([value]) => Math.floor(toFloat64(value))),
  round: define("any int ...float64", ([value, places, on]) =>
    round(toFloat64(value), whole(places), typeof on === "number" ? on : 0.5),
  ),
  add1f: define("any", ([value]) => decimals(value, [goInt(1)], add)),
  addf: define("...any", (values) => decimals(0, values, add)),
  subf: define("any ...any", ([first, ...values]) => decimals(first, values, subtract)),
  mulf: define("any ...any", ([first, ...values]) => decimals(first, values, multiply)),
  divf: define("any ...any", ([first, ...values]) =>
    decimals(first, values, (left, right) =>
      right.digits === 0n ? fail("decimal division by 0") : divide(left, right),
    ),
  ),
};

/** Converting a float beyond int64 gives the smallest one, as on amd64. */
function truncated(value: number): bigint {
  if (!Number.isFinite(value)) return int64Min;
  const result = BigInt(Math.trunc(value));
  return result < int64Min || result > int64Max ? int64Min : result;
}

/** As spf13/cast makes an int64 of anything; what is no number is 0. */
export function toInt64(value: Value): bigint {
  if (value instanceof GoInt) return BigInt.asIntN(64, value.value);
  if (typeof value === "number") return truncated(value);
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (typeof value !== "string") return 0n;
  const parsed = parseGoInt(value.replace(/\.0+$/, ""));
  return parsed === undefined || parsed < int64Min || parsed > int64Max ? 0n : parsed;
}

/** As spf13/cast makes a float64 of anything; what is no number is 0. */
function toFloat64(value: Value): number {
  if (value instanceof GoInt) return Number(value.value);
  if (typeof value === "number") return value;
  if (typeof value === "boolean") return value ? 1 : 0;
  return typeof value === "string" ? (parseGoFloat(value) ?? 0) : 0;
}

function parseRadix(value: string, radix: 8 | 10): bigint | undefined {
  const match = (radix === 8 ? /^([-+]?)([0-7]+)$/ : /^([-+]?)([0-9]+)$/).exec(value);
  if (match === null) return undefined;
  const size = BigInt((radix === 8 ? "0o" : "") + match[2]);
  const signed = match[1] === "-" ? -size : size;
  return signed < int64Min || signed > int64Max ? undefined : signed;
}

/** Go's Atoi keeps the nearest number where a text is out of range. */
function atoi(value: string): bigint {
  const parsed = parseRadix(value, 10);
  if (parsed !== undefined) return parsed;
  if (!/^[-+]?[0-9]+$/.test(value)) return 0n;
  return value.startsWith("-") ? int64Min : int64Max;
}

function divisor(value: Value): bigint {
  const number = toInt64(value);
  return number === 0n ? fail("runtime error: integer divide by zero") : number;
}

interface Steps {
  readonly start: number;
  readonly stop: number;
  readonly step: number;
}

function count({ start, stop, step }: Steps): number {
  if (stop < start) return step >= 0 ? 0 : Math.ceil((start - stop) / -step);
  return step <= 0 ? 0 : Math.ceil((stop - start) / step);
}

function until(steps: Steps, context: CallContext): GoList {
  const size = count(steps);
  context.charge(size);
  return new GoList(
    Array.from({ length: size }, (_, index) => goInt(steps.start + index * steps.step)),
    "int",
  );
}

function sequence(values: readonly number[], context: CallContext): string {
  const [first = 0, second = 0, third = 0] = values;
  if (values.length === 0 || values.length > 3) return "";
  const start = values.length === 1 ? 1 : first;
  const end = values.length === 1 ? first : values.length === 2 ? second : third;
  const direction = end < start ? -1 : 1;
  if (values.length === 3 && direction < 0 && second > 0) return "";
  const list = until({ start, stop: end + direction, step: values.length === 3 ? second : direction }, context);
  return sprint([list]).slice(1, -1);
}

function round(value: number, places: number, on: number): number {
  const power = 10 ** places;
  const digit = power * value;
  const rounded = digit - Math.trunc(digit) >= on ? Math.ceil(digit) : Math.floor(digit);
  return rounded / power;
}

function decimals(
  first: Value,
  values: readonly Value[],
  operation: (left: Decimal, right: Decimal) => Decimal,
): number {
  const of = (value: Value) => {
    const number = toFloat64(value);
    return Number.isFinite(number) ? decimalOf(number) : fail(`Cannot create a Decimal from ${floatText(number)}`);
  };
  return toFloat(values.map(of).reduce(operation, of(first)));
}
