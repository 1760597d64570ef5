import { byteText } from "./bytes.ts";
import { quoteBytes } from "./quote.ts";

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

/** What Go says of a text that is no duration. */
export function durationTrouble(text: string): string {
  const shown = quoteBytes(byteText(text));
  const [, number, unit] =
    /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))*(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(text) ?? [];
  if (number === undefined || text.replace(/^[-+]/, "") === "0") return `time: invalid duration ${shown}`;
  if (unit === undefined || unit === "") return `time: missing unit in duration ${shown}`;
  return unit in unitNanoseconds
    ? `time: invalid duration ${shown}`
    : `time: unknown unit ${quoteBytes(byteText(unit))} in duration ${shown}`;
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
