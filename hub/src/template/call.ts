import type { Operand } from "./ast.ts";
import { ExecError } from "./exec-error.ts";
import { operandText } from "./print.ts";
import {
  type CallContext,
  CallError,
  type GoFunction,
  GoInt,
  GoList,
  GoMap,
  GoTime,
  goInt,
  isTrue,
  type ParameterType,
  typeOf,
  type Value,
} from "./value.ts";

/** Marks that no value comes from the pipeline. */
export const missing: unique symbol = Symbol("missing");

/** What stands after a function's name, and what the pipeline brings. */
export interface Arguments {
  readonly args: readonly Operand[];
  readonly final: Value | typeof missing;
}

/** Where the run is: faults are told at the part that was looked at last, as Go does. */
export interface Place {
  offset: number;
}

/** A function where it is called. */
export interface Callee {
  readonly name: string;
  readonly body: GoFunction;
  readonly offset: number;
  readonly context: CallContext;
  readonly place: Place;
}

const goNames: Record<ParameterType, string> = {
  any: "interface {}",
  value: "reflect.Value",
  string: "string",
  int: "int",
  float64: "float64",
  bool: "bool",
  list: "[]interface {}",
  map: "map[string]interface {}",
  time: "time.Time",
  object: "*semver.Version",
  uint32: "uint32",
};

/** Calls a function with arguments checked against its types, as Go does. Throws ExecError. */
export function callFunction(callee: Callee, given: Arguments, evaluate: (operand: Operand) => Value): Value {
  const { name, body, place } = callee;
  const hasFinal = typeof given.final !== "symbol";
  checkCount(callee, given.args.length, hasFinal);
  if (name === "and" || name === "or") return shortCircuit(callee, given, evaluate);
  const args: Value[] = [];
  for (const [index, operand] of given.args.entries()) {
    args.push(argument({ operand, type: parameterAt(body, index), place }, evaluate));
  }
  if (typeof given.final !== "symbol") args.push(validate(given.final, parameterAt(body, args.length), place));
  callee.context.charge(1);
  if (name === "call" && callee.body.parameters[0] === "value") return notCallable(callee, given, args[0]);
  try {
    const result = body.call(args, callee.context);
    // Whatever makes texts longer and longer is counted, by the text alone.
    if (typeof result === "string") callee.context.charge(result.length >> 2);
    return result;
  } catch (thrown) {
    place.offset = callee.offset;
    if (thrown instanceof CallError) throw new ExecError(`error calling ${name}: ${thrown.message}`, place.offset);
    throw thrown;
  }
}

/** There are no functions among values: `call` always fails, and says what it found. */
function notCallable(callee: Callee, given: Arguments, value: Value): never {
  const [written] = given.args;
  const shown =
    written !== undefined
      ? operandText(written)
      : typeof value === "string"
        ? value
        : `<${value === undefined ? "invalid" : typeOf(value)} Value>`;
  callee.place.offset = callee.offset;
  const trouble =
    value === undefined || value === null ? "call of nil" : `non-function ${shown} of type ${typeOf(value)}`;
  throw new ExecError(`error calling call: ${trouble}`, callee.offset);
}

function parameterAt(body: GoFunction, index: number): ParameterType {
  return body.parameters[index] ?? body.rest ?? "any";
}

function checkCount(callee: Callee, written: number, hasFinal: boolean): void {
  const { name, body, place } = callee;
  const { offset } = place;
  const count = written + (hasFinal ? 1 : 0);
  const want = body.parameters.length;
  if (body.rest !== undefined) {
    if (count < want)
      throw new ExecError(`wrong number of args for ${name}: want at least ${want} got ${written}`, offset);
  } else if (count !== want) {
    throw new ExecError(`wrong number of args for ${name}: want ${want} got ${count}`, offset);
  }
}

function shortCircuit(callee: Callee, given: Arguments, evaluate: (operand: Operand) => Value): Value {
  const { name, place } = callee;
  let value: Value;
  for (const operand of given.args) {
    value = argument({ operand, type: "value", place }, evaluate);
    if (isTrue(value) === (name === "or")) return value;
  }
  return typeof given.final === "symbol" ? value : given.final;
}

interface Argument {
  readonly operand: Operand;
  readonly type: ParameterType;
  readonly place: Place;
}

/** A written argument: literals take the parameter's type, other values must have it. */
function argument(given: Argument, evaluate: (operand: Operand) => Value): Value {
  const { operand, type, place } = given;
  place.offset = operand.offset;
  switch (operand.type) {
    case "nil":
      if (type === "any" || type === "value") return type === "any" ? null : undefined;
      if (type === "list" || type === "map" || type === "object") return nilOf(type);
      throw new ExecError(`cannot assign nil to ${goNames[type]}`, place.offset);
    case "bool":
    case "string":
    case "number":
      return type === "any" || type === "value" ? evaluate(operand) : literal(operand, type);
    default:
      return validate(evaluate(operand), type, place);
  }
}

const expected: Partial<Record<ParameterType, string>> = {
  bool: "bool",
  string: "string",
  int: "integer",
  uint32: "unsigned integer",
  float64: "float",
};

function literal(operand: Operand & { type: "bool" | "string" | "number" }, type: ParameterType): Value {
  if (type === "bool" && operand.type === "bool") return operand.value;
  if (type === "string" && operand.type === "string") return operand.value;
  if (operand.type === "number") {
    if (type === "int" && operand.int !== undefined) return goInt(operand.int);
    if (type === "uint32" && operand.uint !== undefined) return new GoInt("uint32", BigInt.asUintN(32, operand.uint));
    if (type === "float64" && operand.float !== undefined) return operand.float;
  }
  const found = operandText(operand);
  const what = expected[type];
  throw new ExecError(
    what === undefined ? `can't handle ${found} for arg of type ${goNames[type]}` : `expected ${what}; found ${found}`,
    operand.offset,
  );
}

function nilOf(type: "list" | "map" | "object"): Value {
  if (type === "list") return new GoList([], "any", true);
  return type === "map" ? new GoMap(new Map(), "any", true) : null;
}

function validate(value: Value, type: ParameterType, place: Place): Value {
  if (type === "value") return value;
  if (value === undefined) {
    if (type === "any") return null;
    if (type === "list" || type === "map" || type === "object") return nilOf(type);
    throw new ExecError(`invalid value; expected ${goNames[type]}`, place.offset);
  }
  if (type === "any" || hasType(value, type)) return value;
  const found = value === null ? "interface {}" : typeOf(value);
  throw new ExecError(`wrong type for value; expected ${goNames[type]}; got ${found}`, place.offset);
}

function hasType(value: Value, type: ParameterType): boolean {
  switch (type) {
    case "string":
      return typeof value === "string";
    case "int":
      return value instanceof GoInt && value.type === "int";
    case "uint32":
      return value instanceof GoInt && value.type === "uint32";
    case "float64":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "list":
      return value instanceof GoList && value.element === "any";
    case "map":
      return value instanceof GoMap && value.element === "any";
    case "time":
      return value instanceof GoTime;
    case "object":
      return typeof value === "object" && value !== null && "goType" in value && value.goType === "*semver.Version";
    default:
      return true;
  }
}
