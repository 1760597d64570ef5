import type { Branch, Command, Node, Operand, Pipe, Templates } from "./ast.ts";
import { Budget, type RenderLimits } from "./budget.ts";
import { type Arguments, callFunction, missing, type Place } from "./call.ts";
import { ExecError } from "./exec-error.ts";
import { valueText } from "./format.ts";
import { operandText } from "./print.ts";
import { quoteGo } from "./quote.ts";
import {
  type CallContext,
  GoComplex,
  type GoFunction,
  GoInt,
  GoList,
  GoMap,
  type GoObject,
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
  /** The value came out of a list or map of `interface{}`, and has that type for Go; seen only in messages. */
  boxed: boolean;
}

class State {
  readonly #program: Program;
  readonly #missingKey: MissingKey;
  readonly #budget: Budget;
  readonly #context: CallContext;
  readonly #pieces: string[] = [];
  #variables: Variable[] = [];
  #depth = 0;
  /** Whether the dot is boxed (see Variable). */
  #dotBoxed = false;
  readonly #place: Place = { offset: 0 };

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
    if (nodes === undefined) throw new ExecError(`template ${quoteGo(name)} not defined`, offset);
    this.#budget.enter(offset);
    const outer = this.#variables;
    this.#variables = [{ name: "$", value: dot, boxed: false }];
    this.#within(dot, nodes, false);
    this.#variables = outer;
    this.#budget.leave();
  }

  #write(text: string, offset: number): void {
    this.#budget.write(text.length, offset);
    this.#pieces.push(text);
  }

  /** Walks with another dot. */
  #within(dot: Value, nodes: readonly Node[], boxed: boolean): Signal {
    const outer = this.#dotBoxed;
    this.#dotBoxed = boxed;
    const signal = this.#walk(dot, nodes);
    this.#dotBoxed = outer;
    return signal;
  }

  #walk(dot: Value, nodes: readonly Node[]): Signal {
    for (const node of nodes) {
      this.#place.offset = node.offset;
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
        if (!this.#program.templates.has(node.name)) this.#fail(`template ${quoteGo(node.name)} not defined`);
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
      ? node.type === "with"
        ? this.#within(value, node.body, false)
        : this.#walk(dot, node.body)
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
        const boxed = value.element === "any";
        if (this.#iteration(node, node.pipe.variables.length > 1 ? goInt(index) : undefined, { item, boxed })) break;
      }
      return value.items.length > 0;
    }
    if (value instanceof GoMap) {
      const keys = value.sortedKeys();
      this.#budget.step(keys.length, node.offset);
      const boxed = value.element === "any";
      for (const key of keys) if (this.#iteration(node, key, { item: value.entries.get(key), boxed })) break;
      return keys.length > 0;
    }
    if (value instanceof GoInt) {
      if (node.pipe.variables.length > 1) {
        this.#fail(`can't use ${value.value} to iterate over more than one variable`);
      }
      for (let at = 0n; at < value.value; at += 1n)
        if (this.#iteration(node, undefined, { item: new GoInt(value.type, at), boxed: false })) break;
      return value.value > 0n;
    }
    return this.#fail(`range can't iterate over ${valueText(value)}`);
  }

  /** Fails at the part that was looked at last. */
  #fail(message: string, marks: { readonly missingKey?: boolean } = {}): never {
    throw new ExecError(message, this.#place.offset, marks);
  }

  /** One round; true: break. */
  #iteration(node: Branch, index: Value, element: { readonly item: Value; readonly boxed: boolean }): boolean {
    const mark = this.#variables.length;
    const { variables, assigns } = node.pipe;
    const [first, second] = variables;
    const { item, boxed } = element;
    if (first !== undefined && second === undefined) this.#setRound(first, assigns, { depth: 1, value: item, boxed });
    else if (first !== undefined && second !== undefined) {
      this.#setRound(first, assigns, { depth: 2, value: index, boxed: false });
      this.#setRound(second, assigns, { depth: 1, value: item, boxed });
    }
    this.#budget.step(1, node.offset);
    const signal = this.#within(item, node.body, boxed);
    this.#variables.length = mark;
    return signal === signals.break;
  }

  /** A variable of the round: one that the range declared, told from the top, or one that was there. */
  #setRound(name: string, assigns: boolean, to: { depth: number; value: Value; boxed: boolean }): void {
    if (assigns) return this.#assign(name, to.value, to.boxed);
    const variable = this.#variables[this.#variables.length - to.depth];
    if (variable === undefined) return;
    variable.value = to.value;
    variable.boxed = to.boxed;
  }

  #assign(name: string, value: Value, boxed = false): void {
    const variable = this.#variables.findLast((candidate) => candidate.name === name);
    if (variable === undefined) return this.#fail(`undefined variable: ${name}`);
    variable.value = value;
    variable.boxed = boxed;
  }

  #pipeline(dot: Value, pipe: Pipe): Value {
    this.#depth += 1;
    this.#place.offset = pipe.offset;
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
      if (pipe.assigns) this.#assign(name, result);
      // In a range each variable has its own cell, as the loop sets them apart.
      else this.#variables.push({ name, value: result, boxed: false });
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
        if (first.type !== "pipe") this.#place.offset = first.offset;
        if (args.length > 0 || final !== missing)
          this.#fail(`can't give argument to non-function ${operandText(first)}`);
        if (first.type === "nil") this.#fail("nil is not a command");
        return this.operand(dot, first);
    }
  }

  /** A value in a place that takes any. */
  operand(dot: Value, operand: Operand): Value {
    this.#place.offset = operand.offset;
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
    const { name, offset } = operand;
    this.#place.offset = offset;
    const found = this.#program.functions.get(name);
    if (found === undefined) return this.#fail(`${quoteGo(name)} is not a defined function`);
    return callFunction({ name, body: found, offset, context: this.#context, place: this.#place }, given, (argument) =>
      this.operand(dot, argument),
    );
  }

  #access(dot: Value, operand: Operand & { type: "field" | "chain" | "variable" }, given: Arguments): Value {
    this.#place.offset = operand.offset;
    const start = this.#start(dot, operand);
    let { receiver, boxed } = start;
    const last = operand.path.length - 1;
    if (last < 0) {
      if (given.args.length > 0 || given.final !== missing)
        this.#fail(`can't give argument to non-function ${operandText(operand)}`);
      return receiver;
    }
    for (let at = 0; at <= last; at += 1) {
      const name = operand.path[at] ?? "";
      const before = receiver;
      const access = { dot, boxed, offset: operand.offset, given: at === last ? given : nothingGiven };
      receiver = this.#field(receiver, name, access);
      boxed = before instanceof GoMap && before.element === "any";
    }
    return receiver;
  }

  #start(
    dot: Value,
    operand: Operand & { type: "field" | "chain" | "variable" },
  ): { readonly receiver: Value; readonly boxed: boolean } {
    if (operand.type === "field") return { receiver: dot, boxed: this.#dotBoxed };
    if (operand.type === "variable") {
      const variable = this.#variables.findLast(({ name }) => name === operand.name);
      return variable === undefined
        ? this.#fail(`undefined variable: ${operand.name}`)
        : { receiver: variable.value, boxed: variable.boxed };
    }
    if (operand.operand.type === "nil") this.#fail(`indirection through explicit nil in ${operandText(operand)}`);
    return { receiver: this.operand(dot, operand.operand), boxed: false };
  }

  #field(receiver: Value, name: string, access: Access): Value {
    const { given } = access;
    if (receiver === undefined) {
      if (this.#missingKey === "error") this.#fail(`nil data; no entry for key ${quoteGo(name)}`);
      return undefined;
    }
    if (receiver === null) return this.#fail(`nil pointer evaluating interface {}.${name}`);
    const hasArguments = given.args.length > 0 || given.final !== missing;
    if (receiver instanceof GoMap) {
      if (hasArguments) this.#fail(`${name} is not a method but has arguments`);
      return this.#entry(receiver, name);
    }
    const object = this.#objectOf(receiver);
    const method = object !== undefined && Object.hasOwn(object.methods, name) ? object.methods[name] : undefined;
    if (method !== undefined) {
      const callee = { name, body: method, offset: access.offset, context: this.#context, place: this.#place };
      return callFunction(callee, given, (argument) => this.operand(access.dot, argument));
    }
    if (object !== undefined && Object.hasOwn(object.fields, name)) {
      if (hasArguments) this.#fail(`${name} has arguments but cannot be invoked as function`);
      return object.fields[name];
    }
    const type = access.boxed ? "interface {}" : typeOf(receiver);
    return this.#fail(`can't evaluate field ${name} in type ${type}`, { missingKey: true });
  }

  #objectOf(receiver: Value): GoObject | undefined {
    if (receiver instanceof GoTime) return this.#context.timeObject(receiver);
    return typeof receiver === "object" && receiver !== null && "methods" in receiver ? receiver : undefined;
  }

  #entry(map: GoMap, name: string): Value {
    const value = map.entries.get(name);
    if (value !== undefined || map.entries.has(name)) return value;
    if (this.#missingKey === "default") return undefined;
    if (this.#missingKey === "zero") return map.element === "string" ? "" : null;
    return this.#fail(`map has no entry for key ${quoteGo(name)}`, { missingKey: true });
  }
}

const nothingGiven: Arguments = { args: [], final: missing };

interface Access {
  readonly dot: Value;
  /** The receiver's type is `interface{}` for Go (see Variable). */
  readonly boxed: boolean;
  readonly offset: number;
  readonly given: Arguments;
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
