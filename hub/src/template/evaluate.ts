import type { Branch, Command, Node, Operand, Pipe, Templates } from "./ast.ts";
import { Budget, type RenderLimits } from "./budget.ts";
import { type Arguments, callFunction, missing } from "./call.ts";
import { ExecError } from "./exec-error.ts";
import { valueText } from "./format.ts";
import {
  type CallContext,
  GoComplex,
  type GoFunction,
  GoInt,
  GoList,
  GoMap,
  GoTime,
  goInt,
  isTrue,
  typeOf,
  type Value,
} from "./value.ts";

export type MissingKey = "default" | "zero" | "error";

export interface Program {
  readonly templates: Templates;
  readonly functions: ReadonlyMap<string, GoFunction>;
}

export interface RunOptions {
  readonly missingKey: MissingKey;
  readonly limits: RenderLimits;
  readonly context: Omit<CallContext, "charge">;
}

/** Runs the template `base` over the parameters. Throws ExecError. */
export function run(program: Program, data: Value, options: RunOptions): string {
  const state = new State(program, options);
  state.runTemplate("base", data, 0);
  return state.output();
}

const signals = { go: 0, break: 1, continue: 2 } as const;
type Signal = (typeof signals)[keyof typeof signals];

interface Variable {
  readonly name: string;
  value: Value;
}

class State {
  readonly #program: Program;
  readonly #missingKey: MissingKey;
  readonly #budget: Budget;
  readonly #context: CallContext;
  readonly #pieces: string[] = [];
  #variables: Variable[] = [];
  #depth = 0;

  constructor(program: Program, options: RunOptions) {
    this.#program = program;
    this.#missingKey = options.missingKey;
    this.#budget = new Budget(options.limits);
    const budget = this.#budget;
    this.#context = { ...options.context, charge: (steps) => budget.step(steps) };
  }

  output(): string {
    return this.#pieces.join("");
  }

  runTemplate(name: string, dot: Value, offset: number): void {
    const nodes = this.#program.templates.get(name);
    if (nodes === undefined) throw new ExecError(`template ${JSON.stringify(name)} not defined`, offset);
    this.#budget.enter(offset);
    const outer = this.#variables;
    this.#variables = [{ name: "$", value: dot }];
    this.#walk(dot, nodes);
    this.#variables = outer;
    this.#budget.leave();
  }

  #write(text: string, offset: number): void {
    this.#budget.write(text.length, offset);
    this.#pieces.push(text);
  }

  #walk(dot: Value, nodes: readonly Node[]): Signal {
    for (const node of nodes) {
      this.#budget.step(1, node.offset);
      const signal = this.#walkNode(dot, node);
      if (signal !== signals.go) return signal;
    }
    return signals.go;
  }

  #walkNode(dot: Value, node: Node): Signal {
    switch (node.type) {
      case "text":
        this.#write(node.text, node.offset);
        return signals.go;
      case "action": {
        const value = this.#pipeline(dot, node.pipe);
        if (node.pipe.variables.length === 0)
          this.#write(value === undefined ? "<no value>" : valueText(value), node.offset);
        return signals.go;
      }
      case "if":
      case "with":
        return this.#condition(dot, node);
      case "range":
        return this.#range(dot, node);
      case "template":
        this.runTemplate(node.name, node.pipe === undefined ? undefined : this.#pipeline(dot, node.pipe), node.offset);
        return signals.go;
      case "break":
        return signals.break;
      case "continue":
        return signals.continue;
    }
  }

  #condition(dot: Value, node: Branch): Signal {
    const mark = this.#variables.length;
    const value = this.#pipeline(dot, node.pipe);
    const signal = isTrue(value)
      ? this.#walk(node.type === "with" ? value : dot, node.body)
      : node.otherwise === undefined
        ? signals.go
        : this.#walk(dot, node.otherwise);
    this.#variables.length = mark;
    return signal;
  }

  #range(dot: Value, node: Branch): Signal {
    const mark = this.#variables.length;
    const value = this.#pipeline(dot, node.pipe);
    const ran = this.#iterate(value, node);
    let signal: Signal = signals.go;
    if (!ran && node.otherwise !== undefined) signal = this.#walk(dot, node.otherwise);
    this.#variables.length = mark;
    return signal;
  }

  /** Runs the body for each element; tells whether there was one. */
  #iterate(value: Value, node: Branch): boolean {
    if (value === undefined || value === null) return false;
    if (value instanceof GoList) {
      for (const [index, item] of value.items.entries()) {
        if (this.#iteration(node, node.pipe.variables.length > 1 ? goInt(index) : undefined, item)) break;
      }
      return value.items.length > 0;
    }
    if (value instanceof GoMap) {
      const keys = value.sortedKeys();
      this.#budget.step(keys.length, node.offset);
      for (const key of keys) if (this.#iteration(node, key, value.entries.get(key))) break;
      return keys.length > 0;
    }
    if (value instanceof GoInt) {
      if (node.pipe.variables.length > 1) {
        throw new ExecError(`can't use ${value.value} to iterate over more than one variable`, node.pipe.offset);
      }
      for (let at = 0n; at < value.value; at += 1n)
        if (this.#iteration(node, undefined, new GoInt(value.type, at))) break;
      return value.value > 0n;
    }
    throw new ExecError(`range can't iterate over ${valueText(value)}`, node.pipe.offset);
  }

  /** One round; true: break. */
  #iteration(node: Branch, index: Value, element: Value): boolean {
    const mark = this.#variables.length;
    const { variables, assigns } = node.pipe;
    const [first, second] = variables;
    if (first !== undefined && second === undefined) {
      if (assigns) this.#assign(first, element, node.offset);
      else this.#setTop(1, element);
    } else if (first !== undefined && second !== undefined) {
      if (assigns) {
        this.#assign(first, index, node.offset);
        this.#assign(second, element, node.offset);
      } else {
        this.#setTop(1, element);
        this.#setTop(2, index);
      }
    }
    this.#budget.step(1, node.offset);
    const signal = this.#walk(element, node.body);
    this.#variables.length = mark;
    return signal === signals.break;
  }

  #setTop(depth: number, value: Value): void {
    const variable = this.#variables[this.#variables.length - depth];
    if (variable !== undefined) variable.value = value;
  }

  #assign(name: string, value: Value, offset: number): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) throw new ExecError(`undefined variable: ${name}`, offset);
    variable.value = value;
  }

  #pipeline(dot: Value, pipe: Pipe): Value {
    this.#depth += 1;
    this.#budget.nest(this.#depth, pipe.offset);
    let value: Value | typeof missing = missing;
    for (const command of pipe.commands) {
      this.#budget.step(1, command.offset);
      const result: Value = this.#command(dot, command, value);
      // A nil interface is nothing once it has left its command.
      value = result === null ? undefined : result;
    }
    const result = value === missing ? undefined : value;
    for (const name of pipe.variables) {
      if (pipe.assigns) this.#assign(name, result, pipe.offset);
      // In a range each variable has its own cell, as the loop sets them apart.
      else this.#variables.push({ name, value: result });
    }
    this.#depth -= 1;
    return result;
  }

  #command(dot: Value, command: Command, final: Value | typeof missing): Value {
    const [first, ...args] = command.args;
    switch (first.type) {
      case "field":
      case "chain":
      case "variable":
        return this.#access(dot, first, { args, final });
      case "function":
        return this.#call(dot, first, { args, final });
      default:
        if (args.length > 0 || final !== missing) {
          throw new ExecError("can't give argument to non-function", first.offset);
        }
        if (first.type === "nil") throw new ExecError("nil is not a command", first.offset);
        return this.operand(dot, first);
    }
  }

  /** A value in a place that takes any. */
  operand(dot: Value, operand: Operand): Value {
    switch (operand.type) {
      case "dot":
        return dot;
      case "nil":
        return null;
      case "bool":
      case "string":
        return operand.value;
      case "number":
        return idealConstant(operand);
      case "pipe":
        return this.#pipeline(dot, operand);
      case "function":
        return this.#call(dot, operand, { args: [], final: missing });
      default:
        return this.#access(dot, operand, { args: [], final: missing });
    }
  }

  #call(dot: Value, operand: Operand & { type: "function" }, given: Arguments): Value {
    const found = this.#program.functions.get(operand.name);
    if (found === undefined)
      throw new ExecError(`${JSON.stringify(operand.name)} is not a defined function`, operand.offset);
    return callFunction(
      { name: operand.name, body: found, offset: operand.offset, context: this.#context },
      given,
      (argument) => this.operand(dot, argument),
    );
  }

  #access(dot: Value, operand: Operand & { type: "field" | "chain" | "variable" }, given: Arguments): Value {
    let receiver: Value;
    if (operand.type === "field") receiver = dot;
    else if (operand.type === "variable")
      receiver = this.#variables.findLast((variable) => variable.name === operand.name)?.value;
    else {
      if (operand.operand.type === "nil") throw new ExecError("indirection through explicit nil", operand.offset);
      receiver = this.operand(dot, operand.operand);
    }
    const last = operand.path.length - 1;
    if (last < 0) {
      if (given.args.length > 0 || given.final !== missing)
        throw new ExecError("can't give argument to non-function", operand.offset);
      return receiver;
    }
    for (let at = 0; at <= last; at += 1) {
      const name = operand.path[at] ?? "";
      const access = {
        dot,
        offset: operand.offset,
        given: at === last ? given : ({ args: [], final: missing } as Arguments),
      };
      receiver = this.#field(receiver, name, access);
    }
    return receiver;
  }

  #field(
    receiver: Value,
    name: string,
    access: { readonly dot: Value; readonly offset: number; readonly given: Arguments },
  ): Value {
    const { offset, given } = access;
    if (receiver === undefined) {
      if (this.#missingKey === "error")
        throw new ExecError(`nil data; no entry for key ${JSON.stringify(name)}`, offset);
      return undefined;
    }
    if (receiver === null) throw new ExecError(`nil pointer evaluating interface {}.${name}`, offset);
    const hasArguments = given.args.length > 0 || given.final !== missing;
    if (receiver instanceof GoMap) {
      if (hasArguments) throw new ExecError(`${name} is not a method but has arguments`, offset);
      return this.#entry(receiver, name, offset);
    }
    if (
      typeof receiver === "object" &&
      !(receiver instanceof GoInt) &&
      !(receiver instanceof GoList) &&
      !(receiver instanceof GoComplex)
    ) {
      const object = receiver instanceof GoTime ? this.#context.timeObject(receiver) : receiver;
      const method = Object.hasOwn(object.methods, name) ? object.methods[name] : undefined;
      if (method !== undefined) {
        return callFunction({ name, body: method, offset, context: this.#context }, given, (argument) =>
          this.operand(access.dot, argument),
        );
      }
      if (Object.hasOwn(object.fields, name)) {
        if (hasArguments) throw new ExecError(`${name} has arguments but cannot be invoked as function`, offset);
        return object.fields[name];
      }
    }
    throw new ExecError(`can't evaluate field ${name} in type ${typeOf(receiver)}`, offset, { missingKey: true });
  }

  #entry(map: GoMap, name: string, offset: number): Value {
    const value = map.entries.get(name);
    if (value !== undefined || map.entries.has(name)) return value;
    if (this.#missingKey === "default") return undefined;
    if (this.#missingKey === "zero") return map.element === "string" ? "" : null;
    throw new ExecError(`map has no entry for key ${JSON.stringify(name)}`, offset, { missingKey: true });
  }
}

/** A number where nothing says which type it has: its own writing decides. */
function idealConstant(number: Operand & { type: "number" }): Value {
  const { text, int, float, complex } = number;
  if (complex !== undefined) return new GoComplex(complex.real, complex.imaginary);
  const isRune = text.startsWith("'");
  const isHexInt = /^0[xX]/.test(text) && !/[pP]/.test(text);
  if (float !== undefined && !isRune && !isHexInt && /[.eEpP]/.test(text)) return float;
  if (int !== undefined) return goInt(int >= 0n && int < 256n ? Number(int) : int);
  throw new ExecError(`${text} overflows int`, number.offset);
}
