import {
  type CallContext,
  CallError,
  type GoFunction,
  GoInt,
  GoMap,
  type ParameterType,
  type Value,
} from "../value.ts";

/** A room of functions by name. */
export type FunctionTable = Readonly<Record<string, GoFunction>>;

/** A function of fixed parameters; a last type that begins with `...` takes any number. */
export function define(types: string, call: (args: readonly Value[], context: CallContext) => Value): GoFunction {
  const names = types === "" ? [] : types.split(" ");
  const last = names.at(-1);
  if (last?.startsWith("...")) {
    return { parameters: names.slice(0, -1) as ParameterType[], rest: last.slice(3) as ParameterType, call };
  }
  return { parameters: names as ParameterType[], call };
}

// The evaluator has checked types; these only tell the compiler.

/** The value as the text that it is. */
export function text(value: Value): string {
  return typeof value === "string" ? value : fail("text was expected");
}

/** The value as the whole number that it is. */
export function whole(value: Value): number {
  return value instanceof GoInt ? Number(value.value) : fail("a whole number was expected");
}

/** The value as the map that it is. */
export function mapOf(value: Value): GoMap {
  return value instanceof GoMap ? value : fail("a map was expected");
}

/** What Go's function would return as an error, or panic with. */
export function fail(message: string): never {
  throw new CallError(message);
}
