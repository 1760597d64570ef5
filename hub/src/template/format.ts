import { floatText } from "./float.ts";
import { pad, padFloat, padHex, padInteger, padUnicode, plainSpec, type Spec, truncate } from "./pad.ts";
import { quoteGo, quoteRune } from "./quote.ts";
import { timeGoText, timeText } from "./time.ts";
import { GoComplex, GoInt, GoList, GoMap, GoTime, typeOf, type Value } from "./value.ts";

/** As `%v` prints a value. */
export function valueText(value: Value): string {
  if (typeof value === "string") return value;
  if (typeof value === "number") return floatText(value);
  return printArgument(value, "v", plainSpec());
}

/** Go's fmt.Sprint: spaces between operands of which neither is text. */
export function sprint(values: readonly Value[]): string {
  let text = "";
  for (const [index, value] of values.entries()) {
    if (index > 0 && typeof value !== "string" && typeof values[index - 1] !== "string") text += " ";
    text += valueText(value);
  }
  return text;
}

/** Go's fmt.Sprintln. */
export function sprintln(values: readonly Value[]): string {
  return `${values.map(valueText).join(" ")}\n`;
}

/** Go's fmt.Sprintf, with its ways of telling what is wrong with a format (`%!d(string=x)`). */
export function sprintf(format: string, args: readonly Value[]): string {
  return new Printf(format, args).run();
}

const maxNumber = 1_000_000;

class Printf {
  readonly #format: string;
  readonly #args: readonly Value[];
  #at = 0;
  #argument = 0;
  #reordered = false;
  #good = true;
  #afterIndex = false;
  #out = "";

  constructor(format: string, args: readonly Value[]) {
    this.#format = format;
    this.#args = args;
  }

  run(): string {
    for (;;) {
      const percent = this.#format.indexOf("%", this.#at);
      this.#out += this.#format.slice(this.#at, percent < 0 ? undefined : percent);
      if (percent < 0) break;
      this.#at = percent + 1;
      this.#good = true;
      this.#afterIndex = false;
      if (!this.#verb(this.#spec())) break;
    }
    this.#extra();
    return this.#out;
  }

  #spec(): Spec {
    const spec = plainSpec();
    for (; ; this.#at += 1) {
      const flag = this.#format[this.#at];
      if (flag === "#") spec.sharp = true;
      else if (flag === "0") spec.zero = true;
      else if (flag === "+") spec.plus = true;
      else if (flag === "-") spec.minus = true;
      else if (flag === " ") spec.space = true;
      else break;
    }
    this.#index();
    this.#width(spec);
    // A point right at the end is no precision but the missing verb.
    if (this.#format[this.#at] === "." && this.#at + 1 < this.#format.length) this.#precision(spec);
    if (!this.#afterIndex) this.#index();
    return spec;
  }

  /** An explicit argument number: `[2]`. */
  #index(): void {
    this.#afterIndex = false;
    if (this.#format[this.#at] !== "[") return;
    this.#reordered = true;
    const end = this.#format.indexOf("]", this.#at);
    if (end < 0 || this.#format.length - this.#at < 3) {
      this.#good = false;
      this.#at += 1;
      return;
    }
    const text = this.#format.slice(this.#at + 1, end);
    this.#at = end + 1;
    const number = /^[0-9]+$/.test(text) ? Number(text) : -1;
    this.#afterIndex = number >= 0;
    if (number >= 1 && number <= this.#args.length) this.#argument = number - 1;
    else this.#good = false;
  }

  #digits(): number | undefined {
    const match = /^[0-9]+/.exec(this.#format.slice(this.#at, this.#at + 32));
    if (match === null) return undefined;
    this.#at += match[0].length;
    const number = Number(match[0]);
    if (number <= maxNumber) return number;
    this.#at = this.#format.length;
    return undefined;
  }

  #star(): number | undefined {
    const value = this.#args[this.#argument];
    if (this.#argument < this.#args.length) this.#argument += 1;
    if (!(value instanceof GoInt) || value.value > BigInt(maxNumber) || value.value < -BigInt(maxNumber))
      return undefined;
    return Number(value.value);
  }

  #width(spec: Spec): void {
    if (this.#format[this.#at] !== "*") {
      const width = this.#digits();
      if (this.#afterIndex && width !== undefined) this.#good = false;
      spec.width = width;
      return;
    }
    this.#at += 1;
    const width = this.#star();
    if (width === undefined) this.#out += "%!(BADWIDTH)";
    else if (width < 0) {
      spec.minus = true;
      spec.zero = false;
    }
    spec.width = width === undefined ? undefined : Math.abs(width);
    this.#afterIndex = false;
  }

  #precision(spec: Spec): void {
    this.#at += 1;
    if (this.#afterIndex) this.#good = false;
    this.#index();
    if (this.#format[this.#at] !== "*") {
      spec.precision = this.#digits() ?? 0;
      return;
    }
    this.#at += 1;
    const precision = this.#star();
    if (precision === undefined || precision < 0) this.#out += "%!(BADPREC)";
    else spec.precision = precision;
    this.#afterIndex = false;
  }

  #verb(spec: Spec): boolean {
    const code = this.#format.codePointAt(this.#at);
    if (code === undefined) {
      this.#out += "%!(NOVERB)";
      return false;
    }
    const verb = String.fromCodePoint(code);
    this.#at += verb.length;
    if (verb === "%") this.#out += "%";
    else if (!this.#good) this.#out += `%!${verb}(BADINDEX)`;
    else if (this.#argument >= this.#args.length) this.#out += `%!${verb}(MISSING)`;
    else {
      if (verb === "v" || verb === "w") {
        spec.sharpV = spec.sharp;
        spec.sharp = false;
        spec.plusV = spec.plus;
        spec.plus = false;
      }
      this.#out += printArgument(this.#args[this.#argument], verb, spec);
      this.#argument += 1;
    }
    return true;
  }

  #extra(): void {
    if (this.#reordered || this.#argument >= this.#args.length) return;
    const rest = this.#args.slice(this.#argument);
    const texts = rest.map((value) =>
      value === undefined || value === null ? "<nil>" : `${typeOf(value)}=${valueText(value)}`,
    );
    this.#out += `%!(EXTRA ${texts.join(", ")})`;
  }
}

/** The value is told with the flags and the width that the verb had, and without a text of its own. */
function badVerb(value: Value, verb: string, spec: Spec): string {
  if (value === undefined || value === null) return `%!${verb}(<nil>)`;
  return `%!${verb}(${typeOf(value)}=${printStruct(value, "v", spec) ?? printValue(value, "v", spec)})`;
}

/** A value with a text of its own as the struct that it is; undefined: it has no such text. */
function printStruct(value: Value, verb: string, spec: Spec): string | undefined {
  if (typeof value !== "object" || value === null || !("parts" in value)) return undefined;
  const named = spec.plusV || spec.sharpV;
  const texts = value.parts.map(([name, part]) => `${named ? `${name}:` : ""}${printValue(part, verb, spec)}`);
  const type = spec.sharpV ? value.goType.replace("*", "") : "";
  return `${value.goKind === "ptr" ? "&" : ""}${type}{${texts.join(spec.sharpV ? ", " : " ")}}`;
}

/** A list that holds another twice, and so on, has few parts and no end of text. */
const maxParts = 1_000_000;
/** Parts printed of the present operand. */
let parts = 0;

/** One operand under a verb. Throws RangeError for what has too many parts. */
function printArgument(value: Value, verb: string, spec: Spec): string {
  parts = 0;
  if (verb === "T") return pad(truncate(typeOf(value), spec), spec);
  if (value === undefined || value === null) return verb === "v" ? pad("<nil>", spec) : badVerb(value, verb, spec);
  return printValue(value, verb, spec);
}

function printValue(value: Value, verb: string, spec: Spec): string {
  parts += 1;
  if (parts > maxParts) throw new RangeError(`more than ${maxParts} parts to print`);
  if (value === undefined || value === null) return spec.sharpV ? "interface {}(nil)" : "<nil>";
  switch (typeof value) {
    case "string":
      return printString(value, verb, spec);
    case "number":
      return printFloat(value, verb, spec);
    case "boolean":
      return verb === "v" || verb === "t" ? pad(String(value), spec) : badVerb(value, verb, spec);
    default:
      if (value instanceof GoInt) return printInt(value, verb, spec);
      if (value instanceof GoList) return printList(value, verb, spec);
      if (value instanceof GoMap) return printMap(value, verb, spec);
      if (value instanceof GoComplex) return printComplex(value, verb, spec);
      if (value instanceof GoTime && spec.sharpV && verb === "v") return timeGoText(value);
      if (spec.sharpV && verb === "v") return printStruct(value, verb, spec) ?? "";
      return printText(value, value instanceof GoTime ? timeText(value) : value.toText(), { verb, spec });
  }
}

/** Values that have a text of their own. */
function printText(value: Value, text: string, how: { readonly verb: string; readonly spec: Spec }): string {
  return ["v", "s", "x", "X", "q"].includes(how.verb)
    ? printString(text, how.verb === "v" ? "s" : how.verb, how.spec)
    : how.verb === "w" || value instanceof GoTime
      ? badVerb(value, how.verb, how.spec)
      : (printStruct(value, how.verb, how.spec) ?? "");
}

function printString(value: string, verb: string, spec: Spec): string {
  switch (verb) {
    case "v":
      if (spec.sharpV) return pad(quoteGo(value), spec);
      return pad(truncate(value, spec), spec);
    case "s":
      return pad(truncate(value, spec), spec);
    case "x":
    case "X":
      return padHex(value, verb === "X", spec);
    case "q": {
      const text = truncate(value, spec);
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is excluded
      if (spec.sharp && !/[`\x00-\x08\x0a-\x1f\x7f\ufeff]/.test(text)) return pad(`\`${text}\``, spec);
      return pad(quoteGo(text, spec.plus), spec);
    }
    default:
      return badVerb(value, verb, spec);
  }
}

function printFloat(value: number, verb: string, spec: Spec): string {
  switch (verb) {
    case "v":
      return padFloat(value, "g", -1, spec);
    case "e":
    case "E":
      return padFloat(value, verb, 6, spec);
    case "f":
    case "F":
      return padFloat(value, "f", 6, spec);
    case "g":
    case "G":
    case "b":
    case "x":
    case "X":
      return padFloat(value, verb, -1, spec);
    default:
      return badVerb(value, verb, spec);
  }
}

function printInt(value: GoInt, verb: string, spec: Spec): string {
  const number = value.value;
  switch (verb) {
    case "v":
      if (spec.sharpV && value.type.startsWith("uint")) return padInteger(number, 16, "x", { ...spec, sharp: true });
      return padInteger(number, 10, verb, spec);
    case "d":
      return padInteger(number, 10, verb, spec);
    case "b":
      return padInteger(number, 2, verb, spec);
    case "o":
    case "O":
      return padInteger(number, 8, verb, spec);
    case "x":
    case "X":
      return padInteger(number, 16, verb, spec);
    case "c":
      return pad(characterOf(number), spec);
    case "q":
      return pad(quoteRune(characterOf(number).codePointAt(0) ?? 0xfffd, spec.plus), spec);
    case "U":
      return padUnicode(number, spec);
    default:
      return badVerb(value, verb, spec);
  }
}

function characterOf(value: bigint): string {
  const valid = value >= 0n && value <= 0x10ffffn && !(value >= 0xd800n && value < 0xe000n);
  return valid ? String.fromCodePoint(Number(value)) : "\ufffd";
}

function printComplex(value: GoComplex, verb: string, spec: Spec): string {
  if (!["v", "b", "g", "G", "x", "X", "f", "F", "e", "E"].includes(verb))
    return `%!${verb}(complex128=${printComplex(value, "v", spec)})`;
  const imaginary = printFloat(value.imaginary, verb, { ...spec, plus: true });
  return `(${printFloat(value.real, verb, spec)}${imaginary}i)`;
}

function printList(value: GoList, verb: string, spec: Spec): string {
  if (!spec.sharpV) return `[${value.items.map((item) => printElement(item, verb, spec)).join(" ")}]`;
  if (value.isNil) return `${typeOf(value)}(nil)`;
  return `${typeOf(value)}{${value.items.map((item) => printElement(item, verb, spec)).join(", ")}}`;
}

function printMap(value: GoMap, verb: string, spec: Spec): string {
  const pairs = value
    .sortedKeys()
    .map((key) => `${printString(key, verb, spec)}:${printElement(value.entries.get(key), verb, spec)}`);
  if (!spec.sharpV) return `map[${pairs.join(" ")}]`;
  return value.isNil ? `${typeOf(value)}(nil)` : `${typeOf(value)}{${pairs.join(", ")}}`;
}

function printElement(value: Value, verb: string, spec: Spec): string {
  return value === undefined ? "<nil>" : printValue(value, verb, spec);
}
