/** A decimal fraction of any size: sprig's float functions reckon with these. */
export interface Decimal {
  readonly digits: bigint;
  /** Power of ten. */
  readonly exponent: number;
}

const divisionPlaces = 16;

/** The shortest decimal that stands for the float. Not for infinities and NaN. */
export function decimalOf(value: number): Decimal {
  if (value === 0) return { digits: 0n, exponent: 0 };
  const [mantissa = "0", exponent = "0"] = value.toExponential().split("e");
  const [whole = "", fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

function scaled(value: Decimal, exponent: number): bigint {
  return value.digits * 10n ** BigInt(value.exponent - exponent);
}

/** The exact sum. */
export function add(left: Decimal, right: Decimal): Decimal {
  const exponent = Math.min(left.exponent, right.exponent);
  return { digits: scaled(left, exponent) + scaled(right, exponent), exponent };
}

/** The exact difference. */
export function subtract(left: Decimal, right: Decimal): Decimal {
  return add(left, { digits: -right.digits, exponent: right.exponent });
}

/** The exact product. */
export function multiply(left: Decimal, right: Decimal): Decimal {
  return { digits: left.digits * right.digits, exponent: left.exponent + right.exponent };
}

/** To 16 places, half away from zero. The divisor is not zero. */
export function divide(left: Decimal, right: Decimal): Decimal {
  const shift = left.exponent - right.exponent + divisionPlaces;
  const over = shift >= 0 ? left.digits * 10n ** BigInt(shift) : left.digits;
  const under = shift >= 0 ? right.digits : right.digits * 10n ** BigInt(-shift);
  const quotient = over / under;
  const rest = over % under;
  const twice = (rest < 0n ? -rest : rest) * 2n;
  const size = under < 0n ? -under : under;
  const sign = over < 0n === under < 0n ? 1n : -1n;
  return { digits: twice >= size && rest !== 0n ? quotient + sign : quotient, exponent: -divisionPlaces };
}

/** The nearest float. */
export function toFloat(value: Decimal): number {
  return Number(`${value.digits}e${value.exponent}`);
}
