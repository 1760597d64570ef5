import type { ObjectRef, TargetKey } from "@capstan/proto";
import type { Health } from "../health/model.ts";
import type { KubeObject } from "../inventory/object.ts";
import type { LiveEvent, LogOptions, LogSource } from "./model.ts";

/** The cluster as views see it, read with the agent's own account. */
export interface LiveObjects {
  /** Every kind that the cluster serves, as it was last asked. */
  served(): Iterable<{ readonly group: string; readonly kind: string; readonly namespaced: boolean }>;
  /** The first objects of a kind in a namespace; without `body` only their metadata. None where it is not served. */
  list(
    asked: {
      readonly group: string;
      readonly kind: string;
      readonly namespace: string;
      readonly limit: number;
      readonly body: boolean;
    },
    signal: AbortSignal,
  ): Promise<{ readonly objects: readonly KubeObject[]; readonly more: boolean }>;
  /** The first events of a namespace, in no particular order. */
  namespaceEvents(namespace: string, limit: number, signal: AbortSignal): Promise<readonly LiveEvent[]>;
  /** Lines of a container's log, each with its RFC 3339 time and a space in front. */
  log(source: LogSource, options: LogOptions, signal: AbortSignal): AsyncIterable<string>;
}

/** What the watcher knows of a target's objects. */
export interface OwnObjects {
  objects(target: TargetKey): Iterable<readonly [ObjectRef, Health]>;
}
