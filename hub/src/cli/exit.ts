import { type Fault, whereText } from "@capstan/proto";

/** Exit codes, so that scripts can branch. */
export const exit = {
  done: 0,
  /** Of `diff` alone: there are differences. */
  differences: 1,
  failed: 2,
  /** Also of `health`: something is still on its way. */
  held: 3,
  aborted: 4,
  deferredRemain: 5,
  usage: 64,
  unreachable: 69,
  notAllowed: 77,
} as const;

/** The exit code that a fault ends the program with. */
export function exitOf(fault: Fault): number {
  switch (fault.code) {
    case "bad-input":
    case "bad-config":
      return exit.usage;
    case "hub-unreachable":
    case "not-leader":
    case "timeout":
    case "store-unavailable":
      return exit.unreachable;
    case "not-allowed":
    case "not-signed-in":
    case "token-refused":
    case "certificate-refused":
    case "revoked":
      return exit.notAllowed;
    case "held":
      return exit.held;
    case "cancelled":
      return exit.aborted;
    default:
      return exit.failed;
  }
}

/** A fault for a terminal: what is wrong in one line, what to do in the next. */
export function faultLines(fault: Fault): string {
  const place = whereText(fault.where);
  const first = `capstan: ${place === "" ? "" : `${place}: `}${fault.message.trimEnd()} (${fault.code})\n`;
  return fault.next === undefined ? first : `${first}  ${fault.next}\n`;
}
