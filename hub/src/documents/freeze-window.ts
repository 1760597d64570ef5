import { cronFault } from "@capstan/proto";
import type { JsonObject } from "./model.ts";
import { badField, durationAt, objectAt, textAt, textsAt, wordAt } from "./strategy-fields.ts";
import type { ClusterSelect } from "./strategy-model.ts";
import { parseSelect } from "./strategy-parse.ts";

/** `spec` of a `FreezeWindow`, read: when nothing (deny) or only then something (allow) moves, and where. */
export interface FreezeWindowSpec {
  readonly kind: "deny" | "allow";
  /** Five-field cron of its starts. */
  readonly schedule: string;
  readonly durationMs: number;
  /** IANA time zone. */
  readonly timeZone: string;
  readonly reason: string;
  /** A person's sync passes. */
  readonly manualSync: boolean;
  readonly select: ClusterSelect;
  /** `namespace/name` or `name` of sets and standalone Applications; empty: all. */
  readonly sets: readonly string[];
  /** Names of lanes; empty: all. */
  readonly lanes: readonly string[];
}

/** Reads a window. Throws `bad-input` with the field, what was expected and what to write. */
export function parseFreezeWindow(spec: JsonObject): FreezeWindowSpec {
  const field = "spec";
  const schedule = textAt(spec, "schedule");
  const timeZone = textAt(spec, "timeZone") || "UTC";
  const durationMs = durationAt(spec, "duration", field);
  if (durationMs === undefined || durationMs === 0) {
    throw badField("spec.duration", "expected how long the window is active, found nothing.", "Write duration: 8h.");
  }
  const fault = cronFault(schedule, timeZone);
  if (fault !== undefined)
    throw badField("spec.schedule", fault.message, 'Write five cron fields, for example "0 18 * * 5".');
  return {
    kind: wordAt(spec, "kind", { field, words: ["deny", "allow"] }),
    schedule,
    durationMs,
    timeZone,
    reason: textAt(spec, "reason"),
    manualSync: spec["manualSync"] === true,
    select: parseSelect(objectAt(spec, "select"), "spec.select"),
    sets: textsAt(spec, "sets"),
    lanes: textsAt(spec, "lanes"),
  };
}
