import type { Operand } from "./ast.ts";
import { ExecError } from "./exec-error.ts";
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

/** A function where it is called. */
export interface Callee {
  readonly name: string;
  readonly body: GoFunction;
  readonly offset: number;
  readonly context: CallContext;
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
  const { name, body, offset } = callee;
  const hasFinal = typeof given.final !== "symbol";
  checkCount(callee, given.args.length, hasFinal);
  if (name === "and" || name === "or") return shortCircuit(given, evaluate, name);
  const args: Value[] = [];
  for (const [index, operand] of given.args.entries()) {
    args.push(argument(operand, parameterAt(body, index), evaluate));
  }
  if (typeof given.final !== "symbol") args.push(validate(given.final, parameterAt(body, args.length), offset));
  callee.context.charge(1);
  try {
    return body.call(args, callee.context);
  } catch (thrown) {
    if (thrown instanceof CallError) throw new ExecError(`error calling ${name}: ${thrown.message}`, offset);
    throw thrown;
  }
}

function parameterAt(body: GoFunction, index: number): ParameterType {
  return body.parameters[index] ?? body.rest ?? "any";
}

function checkCount(callee: Callee, written: number, hasFinal: boolean): void {
  const { name, body, offset } = callee;
  const count = written + (hasFinal ? 1 : 0);
  const want = body.parameters.length;
  if (body.rest !== undefined) {
    if (count < want)
      throw new ExecError(`wrong number of args for ${name}: want at least ${want} got ${written}`, offset);
  } else if (count !== want) {
    throw new ExecError(`wrong number of args for ${name}: want ${want} got ${count}`, offset);
  }
}

function shortCircuit(given: Arguments, evaluate: (operand: Operand) => Value, name: string): Value {
  let value: Value;
  for (const operand of given.args) {
    value = argument(operand, "value", evaluate);
    if (isTrue(value) === (name === "or")) return value;
  }
  return typeof given.final === "symbol" ? value : given.final;
}

/** A written argument: literals take the parameter's type, other values must have it. */
function argument(operand: Operand, type: ParameterType, evaluate: (operand: Operand) => Value): Value {
  const { offset } = operand;
  switch (operand.type) {
    case "nil":
      if (type === "any" || type === "value") return type === "any" ? null : undefined;
      if (type === "list" || type === "map" || type === "object") return nilOf(type);
      throw new ExecError(`cannot assign nil to ${goNames[type]}`, offset);
    case "bool":
    case "string":
    case "number":
      return literal(operand, type, evaluate);
    default:
      return validate(evaluate(operand), type, offset);
  }
}

function literal(
  operand: Operand & { type: "bool" | "string" | "number" },
  type: ParameterType,
  evaluate: (operand: Operand) => Value,
): Value {
  const { offset } = operand;
  switch (type) {
    case "any":
    case "value":
      return evaluate(operand);
    case "bool":
      if (operand.type === "bool") return operand.value;
      throw new ExecError("expected bool", offset);
    case "string":
      if (operand.type === "string") return operand.value;
      throw new ExecError("expected string", offset);
    case "int":
      if (operand.type === "number" && operand.int !== undefined) return goInt(operand.int);
      throw new ExecError("expected integer", offset);
    case "uint32":
      if (operand.type === "number" && operand.uint !== undefined)
        return new GoInt("uint32", BigInt.asUintN(32, operand.uint));
      throw new ExecError("expected unsigned integer", offset);
    case "float64":
      if (operand.type === "number" && operand.float !== undefined) return operand.float;
      throw new ExecError("expected float", offset);
    default:
      throw new ExecError(`can't handle a constant for arg of type ${goNames[type]}`, offset);
  }
}

function nilOf(type: "list" | "map" | "object"): Value {
  if (type === "list") return new GoList([], "any", true);
  return type === "map" ? new GoMap(new Map(), "any", true) : null;
}

function validate(value: Value, type: ParameterType, offset: number): Value {
  if (type === "value") return value;
  if (value === undefined) {
    if (type === "any") return null;
    if (type === "list" || type === "map" || type === "object") return nilOf(type);
    throw new ExecError(`invalid value; expected ${goNames[type]}`, offset);
  }
  if (type === "any" || hasType(value, type)) return value;
  const found = value === null ? "interface {}" : typeOf(value);
  throw new ExecError(`wrong type for value; expected ${goNames[type]}; got ${found}`, offset);
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
