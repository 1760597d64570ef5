import { Fault, objectKey, parseObjectKey, type TargetKey } from "@capstan/proto";
import { printHooks, readHooks } from "./hooks.ts";
import type { DeletionRecord, Inventory } from "./model.ts";
import type { KubeObject, ObjectAddress } from "./object.ts";

/** The stored form: version 1, short names, one text an object (`version group/Kind/namespace/name`). */
interface Stored {
  readonly v: 1;
  readonly target: string;
  readonly generation: number;
  readonly digest: string;
  readonly applied: boolean;
  readonly objects: readonly string[];
  /** Keys of `objects` that the bundle no longer names. */
  readonly left: readonly string[];
  readonly deletions: readonly DeletionRecord[];
  /** Absent where there are none. */
  readonly hooks?: Readonly<Record<string, unknown>>;
  readonly farewell?: readonly KubeObject[];
}

/** An inventory as one line of JSON. */
export function encodeInventory(inventory: Inventory): string {
  const stored: Stored = {
    v: 1,
    target: inventory.target,
    generation: inventory.generation,
    digest: inventory.digest,
    applied: inventory.applied,
    objects: [...inventory.entries.values()].map((entry) => `${entry.version} ${objectKey(entry)}`),
    left: [...inventory.left],
    deletions: inventory.deletions,
    ...(inventory.hooks.size === 0 ? {} : { hooks: printHooks(inventory.hooks) }),
    ...(inventory.farewell.length === 0 ? {} : { farewell: inventory.farewell }),
  };
  return JSON.stringify(stored);
}

/**
 * The reverse of `encodeInventory`. Throws `internal` on anything else: an inventory that cannot be read must stop its
 * target, never look empty.
 */
export function decodeInventory(text: string): Inventory {
  const stored = parse(text);
  const entries = new Map<string, ObjectAddress>();
  for (const line of stored.objects) {
    const space = line.indexOf(" ");
    const key = line.slice(space + 1);
    entries.set(key, { ...parseObjectKey(key), version: line.slice(0, space) });
  }
  return {
    target: stored.target as TargetKey,
    generation: stored.generation,
    digest: stored.digest,
    applied: stored.applied,
    entries,
    left: new Set(stored.left),
    deletions: stored.deletions,
    hooks: readHooks(stored.hooks ?? {}) ?? new Map(),
    farewell: stored.farewell ?? [],
  };
}

function parse(text: string): Stored {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw unreadable("it is not JSON", cause);
  }
  const stored = value as Partial<Stored> | null;
  if (stored === null || typeof stored !== "object" || stored.v !== 1) throw unreadable("its version is not 1");
  const whole =
    typeof stored.target === "string" &&
    typeof stored.generation === "number" &&
    typeof stored.digest === "string" &&
    typeof stored.applied === "boolean" &&
    Array.isArray(stored.objects) &&
    stored.objects.every((line) => typeof line === "string" && line.split("/").length === 4) &&
    Array.isArray(stored.left) &&
    stored.left.every((key) => typeof key === "string") &&
    Array.isArray(stored.deletions) &&
    readHooks(stored.hooks ?? {}) !== undefined &&
    Array.isArray(stored.farewell ?? []);
  if (!whole) throw unreadable("a field is missing or of another type");
  return stored as Stored;
}

function unreadable(why: string, cause?: unknown): Fault {
  return new Fault("internal", {
    message: `the stored inventory of a target cannot be read: ${why}.`,
    next: "Restore the agent's inventory Secret from a backup, or update the agent if a newer one wrote it.",
    cause,
  });
}
