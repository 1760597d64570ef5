/** Go's strconv.FormatFloat for a 64-bit float; precision -1: the shortest text that reads back the same. */
export function formatFloat(
  value: number,
  verb: "e" | "E" | "f" | "g" | "G" | "b" | "x" | "X",
  precision: number,
): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value < 0 ? "-Inf" : "+Inf";
  const sign = value < 0 || Object.is(value, -0) ? "-" : "";
  const size = Math.abs(value);
  switch (verb) {
    case "f":
      return sign + fixed(size, precision);
    case "e":
    case "E":
      return sign + casedExponent(exponential(size, precision), verb);
    case "b":
      return sign + binaryExponent(size);
    case "x":
    case "X":
      return sign + hexFloat(size, precision, verb);
    default:
      return sign + general(size, precision, verb);
  }
}

/** As `%v` prints a float. */
export function floatText(value: number): string {
  return formatFloat(value, "g", -1);
}

function casedExponent(text: string, verb: string): string {
  return verb === "E" || verb === "G" ? text.toUpperCase() : text;
}

/** JavaScript's one-digit exponents get Go's second digit. */
function exponential(size: number, precision: number): string {
  const text = precision < 0 ? size.toExponential() : exactExponential(size, precision);
  return text.replace(/e([-+])(\d)$/, "e$10$2");
}

function exactExponential(size: number, precision: number): string {
  if (precision <= 100) return size.toExponential(precision);
  const [mantissa, exponent] = size.toExponential(100).split("e");
  return `${mantissa}${"0".repeat(Math.min(precision, 100_000) - 100)}e${exponent}`;
}

function fixed(size: number, precision: number): string {
  if (precision < 0) return shortestFixed(size);
  if (size < 1e21 && precision <= 100) return size.toFixed(precision);
  const whole = BigInt(Math.trunc(size)).toString();
  return precision === 0 ? whole : `${whole}.${"0".repeat(Math.min(precision, 100_000))}`;
}

/** The shortest digits, without an exponent. */
function shortestFixed(size: number): string {
  const [mantissa = "0", exponent = "0"] = size.toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(exponent) + 1;
  if (point <= 0) return size === 0 ? "0" : `0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return digits + "0".repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** `%g`: an exponent below 1e-4, and from the precision upwards; the shortest form counts as 6. */
function general(size: number, precision: number, verb: "g" | "G"): string {
  const shortest = precision < 0;
  const wanted = precision === 0 ? 1 : precision;
  const text = shortest ? size.toExponential() : exactExponential(size, wanted - 1);
  const [mantissa = "0", exponentText = "0"] = text.split("e");
  const digits = shortest ? mantissa.replace(".", "") : mantissa.replace(".", "").replace(/0+$/, "");
  const exponent = size === 0 ? 0 : Number(exponentText);
  const point = exponent + 1;
  let limit = wanted;
  if (!shortest && limit > digits.length && digits.length >= point) limit = digits.length;
  if (shortest) limit = 6;
  if (exponent < -4 || exponent >= limit) {
    const tail = digits.length > 1 ? `.${digits.slice(1)}` : "";
    const e = `${digits[0] ?? "0"}${tail}e${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
    return casedExponent(e, verb);
  }
  return placePoint(digits === "" ? "0" : digits, point);
}

function placePoint(digits: string, point: number): string {
  if (point <= 0) return digits === "0" ? "0" : `0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return digits + "0".repeat(point - digits.length);
  return `${digits.slice(0, point)}.${digits.slice(point)}`;
}

function split(size: number): { readonly mantissa: bigint; readonly exponent: number } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, size);
  const bits = view.getBigUint64(0);
  const exponent = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & 0xfffffffffffffn;
  return exponent === 0
    ? { mantissa: fraction, exponent: -1074 }
    : { mantissa: fraction | (1n << 52n), exponent: exponent - 1075 };
}

function binaryExponent(size: number): string {
  const { mantissa, exponent } = split(size);
  return `${mantissa}p${exponent < 0 ? "" : "+"}${exponent}`;
}

function hexFloat(size: number, precision: number, verb: "x" | "X"): string {
  let { mantissa, exponent } = split(size);
  if (mantissa === 0n) exponent = 0;
  else {
    while (mantissa < 1n << 52n) {
      mantissa <<= 1n;
      exponent -= 1;
    }
    exponent += 52;
  }
  let digits = (mantissa & 0xfffffffffffffn).toString(16).padStart(13, "0");
  let lead = mantissa === 0n ? "0" : "1";
  if (precision < 0) digits = digits.replace(/0+$/, "");
  else if (precision < 13) {
    const shift = BigInt(4 * (13 - precision));
    let rounded = mantissa >> shift;
    const rest = mantissa & ((1n << shift) - 1n);
    const half = 1n << (shift - 1n);
    if (rest > half || (rest === half && (rounded & 1n) === 1n)) rounded += 1n;
    const top = rounded >> BigInt(4 * precision);
    if (top > 1n) {
      exponent += 1;
      rounded >>= 1n;
    }
    lead = mantissa === 0n ? "0" : "1";
    digits =
      precision === 0 ? "" : (rounded & ((1n << BigInt(4 * precision)) - 1n)).toString(16).padStart(precision, "0");
  } else digits = digits.padEnd(Math.min(precision, 100_000), "0");
  const tail = digits === "" ? "" : `.${digits}`;
  const text = `0x${lead}${tail}p${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;
  return verb === "X" ? text.toUpperCase() : text;
}
