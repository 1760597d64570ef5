import { objectKey, objectText } from "@capstan/proto";
import type { LiveEvent, ShownEvent } from "./model.ts";

/** The events of these objects (by key), newest first, at most `limit`. */
export function eventsOf(
  all: readonly LiveEvent[],
  objects: ReadonlySet<string>,
  limit: number,
): readonly ShownEvent[] {
  return all
    .filter(({ object }) => objects.has(objectKey(object)))
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ at, type, reason, object, message, count }) => ({
      at: new Date(at).toISOString(),
      type,
      reason,
      object: objectText(object),
      message: message.replace(/\s+/g, " ").trim(),
      count,
    }));
}
