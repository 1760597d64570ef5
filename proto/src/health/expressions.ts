import { type ASTNode, Environment } from "@marcbachmann/cel-js";
import { RE2JS } from "re2js";
import { isMap } from "./fields.ts";
import { groupKindOf, type Health, type Manifest } from "./model.ts";
import { isBehind } from "./rule.ts";

// A health rule of a project's own, in CEL. In its own entry point (`@capstan/proto/rules`), so that a program that has
// no such rule never loads the language.

/** A project's rule for one kind. Expressions are CEL over the object's top-level fields; empty where not given. */
export interface UserRule {
  /** API group without the version; empty for the core group. */
  readonly group: string;
  /** Kind, or `*` for each of the group that has no rule of its own. */
  readonly kind: string;
  /** Asked in this order; the first that is true gives the verdict, and none means Progressing. */
  readonly suspended: string;
  readonly inProgress: string;
  readonly failed: string;
  readonly current: string;
  /** Gives the text for people; must be a string. */
  readonly message: string;
}

/** The expressions of a rule, in the order in which they are asked; `message` comes last. */
export const ruleFields = ["suspended", "inProgress", "failed", "current", "message"] as const;
type RuleField = (typeof ruleFields)[number];

/** What is wrong with a rule. */
export interface RuleProblem {
  /** Index of the rule. */
  readonly rule: number;
  readonly field: RuleField | "kind";
  /** 1-based, in the expression; 0 where it is not about one place. */
  readonly column: number;
  readonly message: string;
  readonly next: string;
}

/** Bounds of rules; each is a refusal when the rule is applied, or a verdict that says so, never a slow agent. */
export const ruleLimits = {
  /** Rules of one project. */
  rules: 50,
  /** Characters of one expression. */
  expression: 2000,
  /** Nodes of its syntax tree. */
  nodes: 500,
  /** Macros (`all`, `exists`, `filter`, `map` …) inside each other. */
  nesting: 2,
  /** Steps of the innermost macro: the longest list of the object, to the power of the nesting. */
  steps: 100_000,
} as const;

const verdicts = { suspended: "Suspended", inProgress: "Progressing", failed: "Degraded", current: "Healthy" } as const;

interface Compiled {
  readonly run: (object: Readonly<Record<string, unknown>>) => unknown;
  readonly nesting: number;
}

/** Rules that can be asked. */
export class UserRules {
  readonly #rules = new Map<string, ReadonlyMap<RuleField, Compiled>>();

  /** Rules that do not compile are left out: they were refused where they were applied. */
  constructor(rules: readonly UserRule[]) {
    const bad = new Set(problemsOf(rules).map(({ rule }) => rule));
    rules.forEach((rule, at) => {
      if (!bad.has(at)) this.#rules.set(`${rule.group}/${rule.kind}`, compiled(rule));
    });
  }

  /** The verdict of the rule for this kind; undefined where there is none. Never throws. */
  read(object: Manifest): Health | undefined {
    const { group, kind } = groupKindOf(object);
    const rule = this.#rules.get(`${group}/${kind}`) ?? this.#rules.get(`${group}/*`);
    if (rule === undefined) return undefined;
    if (object.metadata.deletionTimestamp !== undefined) return { status: "Progressing", message: "being deleted" };
    if (isBehind(object)) {
      return { status: "Progressing", message: "waiting for the controller to see the newest spec" };
    }
    return judged(rule, object);
  }
}

function judged(rule: ReadonlyMap<RuleField, Compiled>, object: Manifest): Health {
  const measured = celValueOf(object);
  const longest = Math.max(...[...rule.values()].map(({ nesting }) => measured.longest ** nesting));
  if (longest > ruleLimits.steps) {
    return { status: "Unknown", message: `the rule of the project would take ${longest} steps on this object` };
  }
  let trouble = "";
  for (const [field, status] of Object.entries(verdicts) as [keyof typeof verdicts, Health["status"]][]) {
    const expression = rule.get(field);
    if (expression === undefined) continue;
    try {
      if (expression.run(measured.value) === true) return { status, message: messageOf(rule, measured.value) };
    } catch (thrown) {
      // A status that is not written yet lacks what the rule reads: that is no verdict.
      trouble ||= `${field}: ${firstLine(thrown)}`;
    }
  }
  return { status: "Progressing", message: messageOf(rule, measured.value) || trouble };
}

function messageOf(rule: ReadonlyMap<RuleField, Compiled>, value: Readonly<Record<string, unknown>>): string {
  try {
    const text = rule.get("message")?.run(value);
    return typeof text === "string" ? text.slice(0, 1000) : "";
  } catch {
    // As above: what the message reads is not there yet.
    return "";
  }
}

/** What is wrong with rules, all at once. */
export function problemsOf(rules: readonly UserRule[]): readonly RuleProblem[] {
  const seen = new Set<string>();
  return rules.flatMap((rule, at): readonly RuleProblem[] => {
    const name = `${rule.group}/${rule.kind}`;
    const whole = (message: string, next: string): RuleProblem => ({
      rule: at,
      field: "kind",
      column: 0,
      message,
      next,
    });
    if (rule.kind === "") return [whole("the rule names no kind.", "Say which kind it is for, or kind: '*'.")];
    if (at >= ruleLimits.rules) {
      return [whole(`a project may have ${ruleLimits.rules} health rules, found more.`, "Remove some.")];
    }
    if (seen.has(name)) return [whole(`there are two rules for ${name}.`, "Keep one of them.")];
    seen.add(name);
    if (rule.current === "") {
      return [whole(`the rule for ${name} has no \`current\`: nothing would ever be healthy.`, "Say when it is well.")];
    }
    return ruleFields.flatMap((field) => (rule[field] === "" ? [] : problemOf(rule[field], field, at)));
  });
}

function problemOf(text: string, field: RuleField, rule: number): readonly RuleProblem[] {
  const problem = (message: string, column: number, next: string) => [{ rule, field, column, message, next }];
  if (text.length > ruleLimits.expression) {
    return problem(
      `an expression may have ${ruleLimits.expression} characters, this has ${text.length}.`,
      0,
      "Shorten it.",
    );
  }
  try {
    const { nesting, type, splits } = checked(text);
    if (splits && nesting > 1) {
      return problem("`split` may not stand with macros inside each other.", 0, "Split in an expression of its own.");
    }
    if (nesting > ruleLimits.nesting) {
      const bound = `${ruleLimits.nesting} macros may stand inside each other, found ${nesting}.`;
      return problem(bound, 0, "Read a list by one macro, and at most one more inside it.");
    }
    const wanted = field === "message" ? "string" : "bool";
    if (type === wanted || type === "dyn") return [];
    return problem(
      `expected a ${wanted}, the expression gives ${type}.`,
      0,
      `Compare, or convert, until it is a ${wanted}.`,
    );
  } catch (thrown) {
    const column = (placeOf(thrown) ?? -1) + 1;
    return problem(`${firstLine(thrown)}.`, column, "The expression is CEL over metadata, spec, status and data.");
  }
}

function compiled(rule: UserRule): ReadonlyMap<RuleField, Compiled> {
  const found = new Map<RuleField, Compiled>();
  for (const field of ruleFields) if (rule[field] !== "") found.set(field, checked(rule[field]));
  return found;
}

/** Throws the language's own error where the text does not parse or its types cannot fit. */
function checked(text: string): Compiled & { readonly type: string; readonly splits: boolean } {
  const first = environment.parse(text);
  const parsed = environment.parse(linear(text, first.ast));
  const check = parsed.check();
  if (!check.valid) throw check.error ?? new Error("the types do not fit");
  return {
    run: (object) => parsed(object),
    nesting: nestingOf(first.ast),
    type: String(check.type),
    splits: /\bsplit\b/.test(text),
  };
}

const environment = new Environment({
  unlistedVariablesAreDyn: false,
  homogeneousAggregateLiterals: false,
  enableOptionalTypes: true,
  limits: {
    maxAstNodes: ruleLimits.nodes,
    maxDepth: 40,
    maxListElements: 100,
    maxMapEntries: 100,
    maxCallArguments: 8,
  },
});
for (const name of ["apiVersion", "kind", "metadata", "spec", "status", "data"])
  environment.registerVariable(name, "dyn");
environment.registerFunction("string.linearMatches(string): bool", (text: string, pattern: string) =>
  patternOf(pattern).matcher(text).find(),
);

const patterns = new Map<string, RE2JS>();

/** Patterns are few and stand in rules; one that an object brings in does not stay for ever. */
function patternOf(text: string): RE2JS {
  const known = patterns.get(text);
  if (known !== undefined) return known;
  if (patterns.size >= 100) patterns.clear();
  const made = RE2JS.compile(text);
  patterns.set(text, made);
  return made;
}

/** The language's `matches` may take exponential time in JavaScript: ours does not (decision 13). */
function linear(text: string, ast: ASTNode): string {
  const places: number[] = [];
  visit(ast, 0, (node) => {
    if (node.op !== "rcall" || node.args[0] !== "matches") return;
    const after = node.args[1].end ?? 0;
    const at = /\.\s*matches\b/.exec(text.slice(after));
    if (at !== null) places.push(after + at.index + at[0].length - "matches".length);
  });
  return [...new Set(places)]
    .sort((a, b) => b - a)
    .reduce((out, at) => `${out.slice(0, at)}linearMatches${out.slice(at + "matches".length)}`, text);
}

const macros = new Set(["all", "exists", "exists_one", "existsOne", "filter", "map"]);

/** How deep macros stand inside each other's bodies; a chain of them is not deep. */
function nestingOf(ast: ASTNode): number {
  let most = 0;
  visit(ast, 0, (_, depth) => {
    most = Math.max(most, depth);
  });
  return most;
}

function visit(value: unknown, depth: number, see: (node: ASTNode, depth: number) => void): void {
  if (Array.isArray(value)) {
    for (const one of value) visit(one, depth, see);
    return;
  }
  if (!isNode(value)) return;
  see(value, depth);
  if (value.op === "rcall" && macros.has(value.args[0])) {
    visit(value.args[1], depth, see);
    visit(value.args[2], depth + 1, see);
    see(value, depth + 1);
    return;
  }
  visit(value.args, depth, see);
}

function isNode(value: unknown): value is ASTNode {
  return typeof value === "object" && value !== null && "op" in value && "args" in value;
}

/** An object as CEL has it, whole numbers as its `int`; and how long its longest list or map is. */
function celValueOf(object: Manifest): { readonly value: Readonly<Record<string, unknown>>; readonly longest: number } {
  let longest = 1;
  const convert = (value: unknown): unknown => {
    if (typeof value === "number") return Number.isSafeInteger(value) ? BigInt(value) : value;
    if (Array.isArray(value)) {
      longest = Math.max(longest, value.length);
      return value.map(convert);
    }
    if (!isMap(value)) return value;
    const entries = Object.entries(value);
    longest = Math.max(longest, entries.length);
    return Object.fromEntries(entries.map(([key, one]) => [key, convert(one)]));
  };
  const { apiVersion, kind, metadata } = object;
  const { managedFields: _, ...told } = metadata;
  const value = {
    apiVersion,
    kind,
    metadata: convert(told) as object,
    spec: convert(object["spec"] ?? {}),
    status: convert(object["status"] ?? {}),
    data: convert(object["data"] ?? {}),
  };
  return { value, longest };
}

function firstLine(thrown: unknown): string {
  return (thrown instanceof Error ? thrown.message : String(thrown)).split("\n")[0] ?? "";
}

/** Where in the text an error is; the library keeps it on the error. */
function placeOf(thrown: unknown): number | undefined {
  const range = isMap(thrown) ? thrown["range"] : undefined;
  return isMap(range) && typeof range["start"] === "number" ? range["start"] : undefined;
}
