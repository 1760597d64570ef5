import { conditionFields, type Fields, isMap, statusText, valuesAt } from "./fields.ts";
import type { Health, HealthStatus, Manifest } from "./model.ts";
import { healthOrder } from "./model.ts";

/**
 * A health rule in short, one clause after the other; the first whose tests all hold gives the verdict.
 *
 *     Suspended "paused by its owner" if .spec.paused=true
 *     Healthy if Ready=True
 *     Degraded "{reason}: {message}" if Ready=False@Failed,Invalid*
 *     Progressing "not ready yet"
 *
 * A test is
 * - `Type=Status,Status@Reason,Reason[field=word]` on `status.conditions`; `.path:Type=Status` on conditions elsewhere,
 *   `stale:` before it for one of an older generation, `@!Reason` for any other, `*` for anything or at an end of a word, `?*` for anything but
 *   nothing;
 * - `.path`, `.path=value,value`, `.path<.other|default` (also `<= > >= !=`); `[*]` is any item of a list, `#.path` its
 *   length, `+.path` the sum;
 * - `behind` (the controller observed an older generation), `unseen` (that, or it observed none).
 * `!` before a test: it does not hold. ` & ` joins tests. Quotes around a value keep spaces and commas.
 * Without a message, the condition that matched gives it.
 */
export type RuleText = string;

/** A rule that can be asked. */
export interface Rule {
  readonly clauses: readonly Clause[];
}

interface Clause {
  readonly status: HealthStatus;
  readonly message: string | undefined;
  readonly tests: readonly Test[];
}

/** The condition that holds, or whether the test holds. */
type Test = (object: Manifest) => Fields | boolean;

/** What is said where no clause of a rule holds. */
const unsaid: Health = { status: "Progressing", message: "it has not reported its state yet" };

/** Parses a rule. Throws an `Error` that names the clause: rules are part of the program. */
export function parseRule(text: RuleText): Rule {
  return { clauses: clausesOf(text).map(parseClause) };
}

/** The clauses of a rule, each as its text. */
export function clausesOf(text: RuleText): readonly string[] {
  return text
    .split(/\n|;/)
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/**
 * The verdict of a rule on an object. `Healthy` is never said of a generation that the controller has not seen, by the
 * object's own number or by the condition's: what it says then is of the past.
 */
export function applyRule(rule: Rule, object: Manifest): Health {
  for (const clause of rule.clauses) {
    const held = holds(clause, object);
    if (held === undefined) continue;
    const { generation } = object.metadata;
    const observed = held["observedGeneration"];
    const old = typeof generation === "number" && typeof observed === "number" && observed < generation;
    if (clause.status === "Healthy" && (old || isBehind(object))) {
      return { status: "Progressing", message: "waiting for the controller to see the newest spec" };
    }
    return { status: clause.status, message: messageOf(clause, held, object) };
  }
  return unsaid;
}

/** Whether the controller has not seen the current generation yet. Unknown where either number is absent. */
export function isBehind(object: Manifest): boolean {
  const { generation } = object.metadata;
  const status = object["status"];
  const observed = isMap(status) ? status["observedGeneration"] : undefined;
  // Some controllers write it as a text (Argo Rollouts does).
  const seen = typeof observed === "string" && /^\d{1,15}$/.test(observed) ? Number(observed) : observed;
  return typeof generation === "number" && typeof seen === "number" && seen < generation;
}

/** The last condition that matched (an empty map where none did); undefined where a test does not hold. */
function holds(clause: Clause, object: Manifest): Fields | undefined {
  let matched: Fields = {};
  for (const test of clause.tests) {
    const result = test(object);
    if (result === false) return undefined;
    if (result !== true) matched = result;
  }
  return matched;
}

function messageOf(clause: Clause, held: Fields, object: Manifest): string {
  if (clause.message === undefined) return textOf(held["message"]) || textOf(held["reason"]);
  return clause.message
    .replace(/\{([^}]*)\}/g, (_, name: string) => {
      if (name === "kind") return object.kind;
      if (name === "name") return object.metadata.name;
      return name.startsWith(".") ? textOf(valuesAt(object, pathOf(name))[0]) : textOf(held[name]);
    })
    .trim()
    .replace(/^: |:$/g, "");
}

function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

function parseClause(text: string): Clause {
  const found = /^(\w+)(?:\s+"([^"]*)")?(?:\s+if\s+(.+))?$/.exec(text);
  const status = healthOrder.find((one) => one === found?.[1]);
  if (found === null || status === undefined) throw new Error(`not a clause of a health rule: ${text}`);
  const tests = found[3]?.split(" & ").map((part) => parseTest(part.trim())) ?? [];
  return { status, message: found[2], tests };
}

function parseTest(text: string): Test {
  if (text.startsWith("!")) {
    const test = parseTest(text.slice(1));
    return (object) => test(object) === false;
  }
  if (text === "behind") return isBehind;
  if (text === "unseen") {
    const never = parseTest("!.status.observedGeneration");
    return (object) => isBehind(object) || (object.metadata.generation !== undefined && never(object) === true);
  }
  const condition =
    /^(stale:)?(?:(\.[^\s:]+):)?([A-Za-z*][\w.*/,-]*)(!?=)([^@[]+)(?:@(!?)([^[]+))?(?:\[(\w+)(!?)=([^\]]+)\])?$/.exec(
      text,
    );
  if (condition !== null) return conditionTest(condition);
  const compared = /^([#+]?)(\.(?:\['[^']*'\]|[^\s<>=!|])+)(?:\|([^\s<>=!]+))?(?:(<=|>=|!=|=|<|>)(.+))?$/.exec(text);
  if (compared === null) throw new Error(`not a test of a health rule: ${text}`);
  return fieldTest(compared);
}

function conditionTest(parts: RegExpExecArray): Test {
  const [, stale, path, type = "", sign, states = "", notReason, reasons, field, notField, words = ""] = parts;
  const where = path === undefined ? undefined : pathOf(path);
  const isType = wordTest(type);
  const isState = wordTest(states);
  const isReason = reasons === undefined ? undefined : wordTest(reasons);
  const isField = wordTest(words);
  return (object) => {
    const list = where === undefined ? conditionFields(object) : valuesAt(object, where).flat();
    for (const entry of list) {
      if (!isMap(entry) || !isType(textOf(entry["type"]))) continue;
      if (isState(statusText(entry["status"])) !== (sign === "=")) continue;
      if (isReason !== undefined && isReason(textOf(entry["reason"])) === (notReason === "!")) continue;
      if (field !== undefined && isField(textOf(entry[field])) === (notField === "!")) continue;
      if (stale === undefined || isStale(entry, object)) return entry;
    }
    return false;
  };
}

function isStale(condition: Fields, object: Manifest): boolean {
  const observed = condition["observedGeneration"];
  const { generation } = object.metadata;
  return typeof observed === "number" && typeof generation === "number" && observed < generation;
}

function fieldTest([, fold = "", left = "", leftDefault, sign, right = ""]: RegExpExecArray): Test {
  const read = reader(fold, left, leftDefault);
  if (sign === undefined) return (object) => read(object).some(isThere);
  const other = /^([#+]?)(\.[^|]+)(?:\|(.+))?$/.exec(right);
  if (other !== null) {
    const readOther = reader(other[1] ?? "", other[2] ?? "", other[3]);
    return (object) => read(object).some((value) => compare(value, sign, readOther(object)[0]));
  }
  if (sign === "=" || sign === "!=") {
    const isValue = wordTest(right);
    return (object) => read(object).some((value) => isThere(value) && isValue(textOf(value)) === (sign === "="));
  }
  return (object) => read(object).some((value) => compare(value, sign, right));
}

/** What stands at a path; with `#`, how many items the list has; with `+`, the sum. */
function reader(fold: string, text: string, fallback: string | undefined): (object: Manifest) => readonly unknown[] {
  const path = pathOf(text);
  if (fold === "#") return (object) => [valuesAt(object, path).flat().length];
  if (fold === "+") return (object) => [valuesAt(object, path).reduce((sum: number, one) => sum + Number(one), 0)];
  return (object) => valuesOr(object, path, fallback);
}

function valuesOr(object: Manifest, path: readonly string[], fallback: string | undefined): readonly unknown[] {
  const values = valuesAt(object, path).filter(isThere);
  return values.length === 0 && fallback !== undefined ? [fallback] : values;
}

function compare(left: unknown, sign: string, right: unknown): boolean {
  if (sign === "=") return textOf(left) === textOf(right);
  if (sign === "!=") return textOf(left) !== textOf(right);
  const one = Number(textOf(left) || Number.NaN);
  const other = Number(textOf(right) || Number.NaN);
  if (Number.isNaN(one) || Number.isNaN(other)) return false;
  if (sign === "<") return one < other;
  if (sign === ">") return one > other;
  return sign === "<=" ? one <= other : one >= other;
}

function isThere(value: unknown): boolean {
  return value !== undefined && value !== null;
}

/** Whether a text is one of the words; `*` at an end stands for anything, and `''` for the empty text. */
function wordTest(list: string): (text: string) => boolean {
  const words = (list.match(/'[^']*'|[^,]+/g) ?? []).map((word) => word.replace(/^'(.*)'$/, "$1"));
  return (text) => words.some((word) => isWord(word, text));
}

function isWord(word: string, text: string): boolean {
  if (word === "*") return true;
  if (word === "?*") return text !== "";
  const open = word.startsWith("*");
  const end = word.endsWith("*");
  const core = word.slice(open ? 1 : 0, end ? -1 : undefined);
  if (open && end) return text.includes(core);
  if (open) return text.endsWith(core);
  return end ? text.startsWith(core) : text === core;
}

/** `.status.members[*].phase` → `status`, `members`, `*`, `phase`; a key that holds dots stands in `['…']`. */
function pathOf(text: string): readonly string[] {
  return [...text.matchAll(/\.([^.[\]]+)|\[(\*)\]|\['([^']*)'\]/g)].map((part) => part[1] ?? part[2] ?? part[3] ?? "");
}
