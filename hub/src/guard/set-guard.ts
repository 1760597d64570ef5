import { Fault } from "@capstan/proto";
import type { SetGuard, Share } from "./model.ts";

const limitName = "capstan.dev/deletion-limit";

/**
 * What a set's annotations say of its guard: `ephemeral`, and the limit over 24 hours as `COUNT`, `PERCENT%`, or both with a
 * comma, of which the greater counts. Undefined: the fleet's limits. A limit that cannot be read is told and leaves those.
 */
export function setGuardOf(annotations: Readonly<Record<string, string>>): {
  readonly guard: SetGuard | undefined;
  readonly fault: Fault | undefined;
} {
  if (annotations["capstan.dev/ephemeral"] === "true") return { guard: { ephemeral: true }, fault: undefined };
  const text = annotations["capstan.dev/deletion-limit"];
  if (text === undefined) return { guard: undefined, fault: undefined };
  const limit = shareOf(text);
  return limit === undefined ? { guard: undefined, fault: unreadable(text) } : { guard: { limit }, fault: undefined };
}

function shareOf(text: string): Share | undefined {
  const parts = text.split(",").map((part) => /^\s*(\d{1,6})(%?)\s*$/.exec(part));
  const counts = parts.filter((part) => part?.[2] === "");
  const percents = parts.filter((part) => part?.[2] === "%");
  if (counts.length + percents.length !== parts.length || counts.length > 1 || percents.length > 1) return undefined;
  const percent = Number(percents[0]?.[1] ?? 0);
  return percent > 100 ? undefined : { count: Number(counts[0]?.[1] ?? 0), percent };
}

function unreadable(text: string): Fault {
  return new Fault("bad-input", {
    message: `expected ${limitName} as COUNT, PERCENT%, or both with a comma, found ${JSON.stringify(text)}; the fleet's limits hold.`,
    where: { field: `metadata.annotations.${limitName}` },
    next: 'Write for example "3" or "2,25%".',
  });
}
