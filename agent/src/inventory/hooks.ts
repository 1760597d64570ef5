import type { Instant } from "@capstan/proto";
import { objectKey, parseObjectKey } from "@capstan/proto";
import type { ObjectAddress } from "./object.ts";

/** When a hook's object is deleted, in Argo CD's words. */
export type DeletePolicy = "BeforeHookCreation" | "HookSucceeded" | "HookFailed";

/**
 * One try of one hook, written down before its object is made. `begun`: its object may exist or not; `running`: it was
 * seen; then how it ended. A hook that ended well is not run again in the same run.
 */
export interface HookRecord {
  readonly address: ObjectAddress;
  /** Which run of the target's sync it belongs to; empty for none. */
  readonly run: string;
  /** How many tries of the run failed before this one. */
  readonly attempt: number;
  readonly state: "begun" | "running" | "succeeded" | "failed";
  /** Of its object, once that was seen. */
  readonly uid: string;
  readonly endedAt: Instant;
  /** Why it failed, or what it is at; one line, never from a Secret. */
  readonly message: string;
  readonly deletes: readonly DeletePolicy[];
  /** Our finalizer is still on its object. */
  readonly held: boolean;
  /** Its object is known to be gone. */
  readonly gone: boolean;
}

/** Whether something is still to be seen or done of it. */
export function isOpen(record: HookRecord): boolean {
  return record.state === "begun" || record.state === "running" || record.held;
}

/** The stored form of records: objects with short values, by id. */
export function printHooks(hooks: ReadonlyMap<string, HookRecord>): Readonly<Record<string, unknown>> {
  const print = ({ address, ...record }: HookRecord) => ({
    ...record,
    object: `${address.version} ${objectKey(address)}`,
  });
  return Object.fromEntries([...hooks].map(([id, record]) => [id, print(record)]));
}

/** The reverse; undefined for what it did not write. */
export function readHooks(stored: unknown): ReadonlyMap<string, HookRecord> | undefined {
  if (typeof stored !== "object" || stored === null || Array.isArray(stored)) return undefined;
  const hooks = new Map<string, HookRecord>();
  for (const [id, value] of Object.entries(stored as Record<string, unknown>)) {
    const record = readHook(value);
    if (record === undefined) return undefined;
    hooks.set(id, record);
  }
  return hooks;
}

const states = ["begun", "running", "succeeded", "failed"];

function readHook(value: unknown): HookRecord | undefined {
  const { object, ...record } = (value ?? {}) as HookRecord & { readonly object: string };
  const whole =
    typeof object === "string" &&
    object.split("/").length === 4 &&
    typeof record.run === "string" &&
    typeof record.attempt === "number" &&
    states.includes(record.state) &&
    typeof record.uid === "string" &&
    typeof record.endedAt === "number" &&
    typeof record.message === "string" &&
    Array.isArray(record.deletes) &&
    typeof record.held === "boolean" &&
    typeof record.gone === "boolean";
  if (!whole) return undefined;
  const space = object.indexOf(" ");
  return { ...record, address: { ...parseObjectKey(object.slice(space + 1)), version: object.slice(0, space) } };
}
