import type { Health, HealthStatus, Manifest } from "./model.ts";

/** A map of whatever an object holds. */
export type Fields = Readonly<Record<string, unknown>>;

/** Whether a value is a map (and no list). */
export function isMap(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

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

/** `True`, `False` or `Unknown`, also where somebody left out the quotes in a YAML file. */
export function statusText(value: unknown): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  return typeof value === "string" ? value : "";
}

/** All conditions of an object, in their order. */
export function conditionsOf(object: Manifest): readonly Condition[] {
  return conditionFields(object).map((entry) => {
    const observed = entry["observedGeneration"];
    return {
      type: textAt(entry, "type"),
      status: statusText(entry["status"]),
      reason: textAt(entry, "reason"),
      message: textAt(entry, "message"),
      observedGeneration: typeof observed === "number" ? observed : undefined,
    };
  });
}

/** The condition of a type. */
export function conditionOf(object: Manifest, type: string): Condition | undefined {
  return conditionsOf(object).find((condition) => condition.type === type);
}

/** `reason: message`, or what there is of them. */
export function conditionText(condition: Condition): string {
  if (condition.message === "") return condition.reason;
  return condition.reason === "" ? condition.message : `${condition.reason}: ${condition.message}`;
}

/** All values at a path; `*` is every item of a list, or every value of a map. A step that is absent gives none. */
export function valuesAt(holder: unknown, path: readonly string[]): readonly unknown[] {
  let values: readonly unknown[] = [holder];
  for (const step of path) {
    values = values.flatMap((value): readonly unknown[] => {
      if (step === "*") return Array.isArray(value) ? value : isMap(value) ? Object.values(value) : [];
      const found = isMap(value) ? value[step] : undefined;
      return found === undefined ? [] : [found];
    });
  }
  return values;
}

/** The entries of `status.conditions` as they are. */
export function conditionFields(object: Manifest): readonly Fields[] {
  return mapsAt(mapAt(object, "status"), "conditions");
}
