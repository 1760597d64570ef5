import type { ExplainResponse } from "@capstan/proto/application";
import type { Reason } from "@capstan/proto/common";
import { clockText, msOf } from "../age.ts";
import { asOfLine } from "../answer.ts";
import { type Look, toned, wrapped } from "../look.ts";
import { stateTone } from "../words.ts";

/** Why something waits: what is so and since when, what it is about, and the commands that would go on. */
export function whyScreen(found: ExplainResponse, look: Look): string[] {
  const [top] = found.reasons;
  // What is said of one of several things stands below the headline, not in it.
  const first = found.reasons.length === 1 || found.headline.includes(top?.subject ?? "") ? top : undefined;
  const others = first === undefined ? found.reasons : found.reasons.slice(1);
  const head = headlineText(found.headline, first, look);
  return [
    ...headLines(head, first !== undefined, look),
    ...news(
      [...(first?.details ?? []), ...others.flatMap((reason) => [reasonText(reason, look), ...reason.details])],
      head,
    ).flatMap((text) => indented(text, look)),
    ...(found.reasons.length === 0 ? ["  nothing waits"] : []),
    ...goingOn(found, look),
    ...asOfLine(msOf(found.asOf), look),
  ];
}

/** The first reason stands in the headline, as far as the headline does not say it itself. */
function headlineText(text: string, first: Reason | undefined, look: Look): string {
  const bare = text.replace(/[.\s]+$/, "");
  if (first === undefined) return bare;
  const message = first.message.replace(/\.$/, "");
  const claim = bare.slice(bare.indexOf(" is ") + 4);
  const said =
    bare.includes(message) || (claim.length < bare.length && claim.includes(": ") && message.includes(claim));
  const since = /, since [\d-]/.test(bare) ? "" : sinceClock(first, look);
  return `${bare}${said ? "" : `: ${message}`}${since}`;
}

function headLines(text: string, waits: boolean, look: Look): string[] {
  const tone = waits ? stateTone("Held") : undefined;
  return wrapped(text, look.width).map((line, at) => `${at === 0 ? "" : "  "}${toned(look, tone, line)}`);
}

/** Texts that were not said before, be it as a part of another. */
function news(texts: readonly string[], head: string): string[] {
  const said = [head];
  return texts.filter((text) => {
    const bare = text.replace(/, since [\d: -]+$/, "");
    if (said.some((before) => before.includes(bare))) return false;
    said.push(text);
    return true;
  });
}

function reasonText(reason: Reason, look: Look): string {
  const { subject, message } = reason;
  return `${message.includes(subject) ? "" : `${subject}: `}${message.replace(/\.$/, "")}${sinceClock(reason, look)}`;
}

function indented(text: string, look: Look): string[] {
  return wrapped(text, look.width - 4).map((line, at) => `${at === 0 ? "  " : "    "}${line}`);
}

function sinceClock({ since }: Reason, look: Look): string {
  const at = msOf(since);
  return at === undefined ? "" : `, since ${clockText(at, look.now, look.utcOffset)}`;
}

/** Commands in one column, what each does in the next; without any, what would unblock it in words. */
function goingOn({ advice, reasons }: ExplainResponse, look: Look): string[] {
  if (advice.length === 0) {
    const unblock = [...new Set(reasons.flatMap((reason) => reason.unblock))];
    return unblock.length === 0
      ? []
      : ["  To go on:", ...unblock.flatMap((text) => indented(text, look).map((line) => `  ${line}`))];
  }
  const size = Math.max(...advice.map(({ command }) => command.length));
  return [
    "  To go on:",
    ...advice.flatMap(({ command, effect }) => {
      const room = look.width - size - 8;
      if (room < 30) return [`    ${command}`, ...indented(effect, look).map((line) => `    ${line}`)];
      const [line = "", ...rest] = wrapped(effect, room);
      return [
        `    ${command.padEnd(size)}    ${line}`.trimEnd(),
        ...rest.map((each) => `${" ".repeat(size + 8)}${each}`),
      ];
    }),
  ];
}
