import { isMap } from "../drift/compare.ts";

/** A set of fields as `managedFields` holds it (FieldsV1): `f:`, `k:` and `v:` keys, `.` for the place itself. */
export type FieldSet = Readonly<Record<string, unknown>>;

/** All fields of both. */
export function unionFields(one: FieldSet, other: FieldSet): FieldSet {
  const all: Record<string, unknown> = { ...one };
  for (const [key, below] of Object.entries(other)) {
    const mine = all[key];
    all[key] = isMap(mine) && isMap(below) ? unionFields(mine, below) : below;
  }
  return all;
}

/** The fields of one that the other lacks; undefined where none is left. */
export function withoutFields(one: FieldSet, other: FieldSet): FieldSet | undefined {
  const left: Record<string, unknown> = {};
  for (const [key, below] of Object.entries(one)) {
    const theirs = other[key];
    if (!isMap(below) || !isMap(theirs)) {
      left[key] = below;
      continue;
    }
    if (Object.keys(below).length === 0) continue;
    const rest = withoutFields(below, theirs);
    if (rest !== undefined) left[key] = rest;
  }
  // A place alone, with nothing in it that is only theirs, is no field of theirs.
  const real = Object.keys(left).some((key) => key !== ".");
  return real ? left : undefined;
}

/** Whether both have a field. */
export function fieldsMeet(one: FieldSet, other: FieldSet): boolean {
  return Object.entries(one).some(([key, below]) => {
    const theirs = other[key];
    if (key === "." || !isMap(below) || !isMap(theirs)) return false;
    return Object.keys(below).length === 0 || Object.keys(theirs).length === 0 || fieldsMeet(below, theirs);
  });
}
