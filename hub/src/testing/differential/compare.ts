import { TemplateEngine, TemplateFault } from "../../template/engine.ts";
import { GoList, GoMap, mapFromJson } from "../../template/value.ts";
import type { JsonObject } from "../../yaml/json.ts";
import type { OracleAnswer } from "./oracle.ts";
import type { Question } from "./templates.ts";

/** Wide enough that what Go can do, we do. */
export const patientEngine = (): TemplateEngine =>
  new TemplateEngine({
    limits: { steps: 50_000_000, output: 1 << 22, templates: 1_000, pipelines: 10_000 },
    cacheSize: 100,
    now: () => 0,
  });

/** How our answer differs from Go's; undefined: not at all. */
export function difference(engine: TemplateEngine, question: Question, expected: OracleAnswer): string | undefined {
  const found = answerOf(engine, question);
  if (expected.stage === "timeout") return undefined;
  if (expected.stage === "question") return `the oracle did not understand: ${expected.error}`;
  if (expected.output !== undefined)
    return found.output === expected.output
      ? undefined
      : `expected ${JSON.stringify(expected.output)}, found ${shown(found)}`;
  const fault = found.fault;
  if (fault === undefined) return `expected ${expected.stage}: ${expected.error}, found ${shown(found)}`;
  const stage = expected.stage === "panic" ? "option" : expected.stage;
  if (fault.stage !== stage) return `expected ${expected.stage}: ${expected.error}, found ${shown(found)}`;
  return stage === "parse" || stage === "exec"
    ? errorDifference(question.template, expected.error ?? "", fault)
    : undefined;
}

interface Found {
  readonly output?: string;
  readonly fault?: TemplateFault;
}

function answerOf(engine: TemplateEngine, question: Question): Found {
  const params = mapFromJson(JSON.parse(JSON.stringify(question.params)) as JsonObject);
  for (const [key, kind] of Object.entries(question.typed)) {
    const value = params.entries.get(key);
    if (kind === "stringMap" && value instanceof GoMap) params.entries.set(key, new GoMap(value.entries, "string"));
    if (kind === "stringList" && value instanceof GoList) params.entries.set(key, new GoList(value.items, "string"));
  }
  try {
    return { output: engine.render(question.template, params, question) };
  } catch (thrown) {
    if (thrown instanceof TemplateFault) return { fault: thrown };
    throw thrown;
  }
}

function shown({ output, fault }: Found): string {
  return fault === undefined ? JSON.stringify(output) : `${fault.stage}: ${fault.message}`;
}

/** Go tells a line for a parse error, and line, byte column and the node for an error of a run. */
function errorDifference(template: string, error: string, fault: TemplateFault): string | undefined {
  const parsed = /^template: [^:]*:(\d+)(?::(\d+))?: ([^]*)$/.exec(error);
  if (parsed === null) return `Go's error has no place: ${error}`;
  const [, line, column, rest = ""] = parsed;
  const at = placeOf(template, fault);
  if (explained.some(([theirs, ours]) => theirs.test(error) && ours.test(fault.message))) return undefined;
  if (at.line !== Number(line) || (column !== undefined && at.column !== Number(column)))
    return `expected line ${line}, column ${column}: ${error}; found line ${at.line}, column ${at.column}: ${fault.message}`;
  // Go also writes out the part that failed, between angle brackets.
  const found = fault.message.slice(0, fault.message.lastIndexOf(" (template "));
  return rest === found || (rest.startsWith("executing ") && rest.endsWith(`: ${found}`))
    ? undefined
    : `expected error ${JSON.stringify(error)}, found ${fault.message}`;
}

/** Errors of which both sides tell in their own words; each pair says why. */
const explained: readonly (readonly [theirs: RegExp, ours: RegExp])[] = [
  // Our bound on the depth of templates is a budget, and lower.
  [/exceeded maximum template depth/, /templates call templates more than/],
  // Another reader of YAML: both refuse, and each says what it had expected.
  [/error converting YAML to JSON: (?:yaml|json): /, /error converting YAML to JSON: yaml: line /],
  // JavaScript's reader of JSON does not tell where.
  [/error calling mustFromJson: (?:invalid character|unexpected end)/, /the text is no JSON/],
];

/** Go counts bytes from 0, we count characters from 1. */
function placeOf(template: string, fault: TemplateFault): { readonly line: number; readonly column: number } {
  const { line = 0, column = 0 } = fault.where;
  const text = template.split("\n")[line - 1] ?? "";
  return { line, column: new TextEncoder().encode(text.slice(0, column - 1)).length };
}
