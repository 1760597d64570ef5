import { isMap } from "../drift/compare.ts";
import type { KubeObject } from "../inventory/object.ts";
import type { Health, HealthStatus } from "./model.ts";

type Fields = Readonly<Record<string, unknown>>;

/** One entry of `status.conditions`. */
export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number | undefined;
}

/** A verdict in short. */
export function verdict(status: HealthStatus, message = ""): Health {
  return { status, message };
}

/** A map at a path; empty where there is none. */
export function mapAt(holder: unknown, ...path: readonly string[]): Fields {
  let value: unknown = holder;
  for (const step of path) value = isMap(value) ? value[step] : undefined;
  return isMap(value) ? value : {};
}

/** A list of maps at a field; empty where there is none. */
export function mapsAt(holder: Fields, field: string): readonly Fields[] {
  const value = holder[field];
  return Array.isArray(value) ? value.filter(isMap) : [];
}

/** A number at a field, or the fallback. */
export function numberAt(holder: Fields, field: string, fallback = 0): number {
  const value = holder[field];
  return typeof value === "number" ? value : fallback;
}

/** A text at a field, or empty. */
export function textAt(holder: Fields, field: string): string {
  const value = holder[field];
  return typeof value === "string" ? value : "";
}

/** All conditions of an object, in their order. */
export function conditionsOf(object: KubeObject): readonly Condition[] {
  return mapsAt(mapAt(object, "status"), "conditions").map((entry) => {
    const observed = entry["observedGeneration"];
    return {
      type: textAt(entry, "type"),
      status: textAt(entry, "status"),
      reason: textAt(entry, "reason"),
      message: textAt(entry, "message"),
      observedGeneration: typeof observed === "number" ? observed : undefined,
    };
  });
}

/** The condition of a type. */
export function conditionOf(object: KubeObject, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** Whether the controller has not seen the current generation yet. Unknown where either number is absent. */
export function isBehind(object: KubeObject): boolean {
  const { generation } = object.metadata;
  const observed = mapAt(object, "status")["observedGeneration"];
  return typeof generation === "number" && typeof observed === "number" && observed < generation;
}

/** `reason: message`, or what there is of them. */
export function conditionText(condition: Condition): string {
  if (condition.message === "") return condition.reason;
  return condition.reason === "" ? condition.message : `${condition.reason}: ${condition.message}`;
}
