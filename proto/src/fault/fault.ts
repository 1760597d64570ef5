import { type FaultCode, faultTable, grpcStatusNumber } from "./codes.ts";

/** Where a fault lies. Give what is known; each field is shown to people as it stands. */
export interface Where {
  readonly file?: string;
  readonly line?: number;
  readonly column?: number;
  readonly repository?: string;
  readonly revision?: string;
  readonly set?: string;
  readonly generator?: string;
  /** Parameters of one element of a generator, as JSON, bounded. */
  readonly element?: string;
  readonly target?: string;
  readonly cluster?: string;
  readonly object?: string;
  readonly field?: string;
}

/** What a fault is made of, besides its code. */
export interface FaultInit {
  /** One sentence: what was expected and what was found. No secret values. */
  readonly message: string;
  readonly where?: Where;
  /** What the reader may do next, as one imperative sentence. */
  readonly next?: string;
  /** Kept for the log, never sent. */
  readonly cause?: unknown;
  /** Overrides the code's default where this instance is known to be otherwise. */
  readonly retryable?: boolean;
}

/**
 * The one error of this project. Expected waits are outcomes (`loop`), not faults.
 * Anything thrown by a library becomes one in the platform, by `Fault.from`.
 */
export class Fault extends Error {
  override readonly name = "Fault";
  readonly code: FaultCode;
  readonly where: Where;
  readonly next: string | undefined;
  readonly retryable: boolean;

  constructor(code: FaultCode, init: FaultInit) {
    super(init.message, init.cause === undefined ? undefined : { cause: init.cause });
    this.code = code;
    this.where = init.where ?? {};
    this.next = init.next;
    this.retryable = init.retryable ?? faultTable[code].retryable;
  }

  /** Turns anything thrown into a fault; a fault stays itself, an abort becomes `cancelled`. */
  static from(thrown: unknown, fallback: FaultCode = "internal"): Fault {
    if (thrown instanceof Fault) return thrown;
    if (thrown instanceof Error) {
      const code = thrown.name === "AbortError" ? "cancelled" : thrown.name === "TimeoutError" ? "timeout" : fallback;
      return new Fault(code, { message: thrown.message, cause: thrown });
    }
    return new Fault(fallback, { message: String(thrown), cause: thrown });
  }

  /** The same fault with more of its place known; what is known already wins. */
  at(where: Where): Fault {
    return new Fault(this.code, {
      message: this.message,
      where: { ...where, ...this.where },
      ...(this.next === undefined ? {} : { next: this.next }),
      ...(this.cause === undefined ? {} : { cause: this.cause }),
      retryable: this.retryable,
    });
  }

  get grpcStatus(): number {
    return grpcStatusNumber[faultTable[this.code].status];
  }
}

/** `file:line:column`, then the other places, as people read them. Empty where nothing is known. */
export function whereText(where: Where): string {
  const { file, line, column, ...rest } = where;
  const place = [file, line, column].filter((part) => part !== undefined).join(":");
  const others = Object.entries(rest).map(([name, value]) => `${name} ${value}`);
  return [place, ...others].filter((part) => part !== "").join(", ");
}

/** The whole fault in one line for a terminal: place, message, next step, code. */
export function faultText(fault: Fault): string {
  const place = whereText(fault.where);
  const next = fault.next === undefined ? "" : ` ${fault.next}`;
  return `${place === "" ? "" : `${place}: `}${fault.message}${next} (${fault.code})`;
}

/** Marks a branch that types say cannot be reached; fails loudly when data says otherwise. */
export function assertNever(value: never, what = "value"): never {
  throw new Fault("internal", { message: `unexpected ${what}: ${JSON.stringify(value)}` });
}
