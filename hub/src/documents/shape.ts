/**
 * The shapes of Argo CD's objects, as its Go structs define them: which fields exist, what they hold, and which of
 * them vanish from the written form when they are empty.
 */
export type Shape =
  | { readonly kind: "string" | "bool" | "int" | "intOrString" }
  /** Any JSON; kept as it is. */
  | { readonly kind: "json" }
  | { readonly kind: "list"; readonly of: Shape }
  | { readonly kind: "map"; readonly of: Shape }
  | StructShape;

export interface StructShape {
  readonly kind: "struct";
  readonly fields: ReadonlyMap<string, Field>;
}

export interface Field {
  readonly shape: Shape;
  /** `pointer`: null and absent are one, a present empty value is kept. `omit`: an empty value vanishes. `keep`: always written. */
  readonly presence: "pointer" | "omit" | "keep";
  /** A strategic merge patch replaces the whole value. */
  readonly replace: boolean;
}

/** A text. */
export const string: Shape = { kind: "string" };
/** True or false. */
export const bool: Shape = { kind: "bool" };
/** A whole number. */
export const int: Shape = { kind: "int" };
/** A whole number or a text, as a share of pods is written. */
export const intOrString: Shape = { kind: "intOrString" };
/** Anything at all. */
export const json: Shape = { kind: "json" };
/** A list of texts. */
export const strings: Shape = { kind: "list", of: string };
/** A map of texts. */
export const stringMap: Shape = { kind: "map", of: string };

/** A list of one shape. */
export function list(of: Shape): Shape {
  return { kind: "list", of };
}

/** A map of one shape. */
export function map(of: Shape): Shape {
  return { kind: "map", of };
}

/** A field that is always written, also when it is empty. */
export function keep(shape: Shape): Field {
  return { shape, presence: "keep", replace: false };
}

/** A field whose null is told from its empty value. */
export function pointer(shape: Shape): Field {
  return { shape, presence: "pointer", replace: false };
}

/** A struct; a bare shape is a field that vanishes when it is empty. */
export function struct(fields: Readonly<Record<string, Shape | Field>>): StructShape {
  const entries = Object.entries(fields).map(([name, given]): [string, Field] => [
    name,
    "presence" in given ? given : { shape: given, presence: "omit", replace: false },
  ]);
  return { kind: "struct", fields: new Map(entries) };
}

/** A struct with the fields of another beside its own (Go's inline embedding). */
export function extend(base: StructShape, fields: Readonly<Record<string, Shape | Field>>): StructShape {
  return { kind: "struct", fields: new Map([...base.fields, ...struct(fields).fields]) };
}
