import { Fault } from "@capstan/proto";
import { problemsOf, ruleFields, type UserRule } from "@capstan/proto/rules";
import { readYaml } from "../yaml/read.ts";
import type { AppProject, Json, JsonObject, Metadata } from "./model.ts";

/** Annotation of an AppProject: health rules in CEL for kinds of its targets, a YAML list. */
export const healthAnnotation = "capstan.dev/health";

/** Characters of the whole annotation: it goes out with every target of the project. */
const maxLength = 16 * 1024;
const keys = new Set<string>(["apiVersion", "group", "kind", ...ruleFields]);
const known = new WeakMap<AppProject, readonly UserRule[]>();

/** The project's health rules; none where they are wrong, which `checkHealthRules` has said when it was read. */
export function healthRulesOf(project: AppProject): readonly UserRule[] {
  let rules = known.get(project);
  if (rules === undefined) {
    rules = readable(project.metadata);
    known.set(project, rules);
  }
  return rules;
}

function readable(metadata: Pick<Metadata, "annotations">): readonly UserRule[] {
  try {
    return checkHealthRules(metadata);
  } catch {
    return [];
  }
}

/** Reads the annotation. Throws `bad-input` with everything that is wrong: which rule, which field, where in it, the cure. */
export function checkHealthRules({ annotations }: Pick<Metadata, "annotations">): readonly UserRule[] {
  const text = annotations[healthAnnotation];
  if (text === undefined || text.trim() === "") return [];
  if (text.length > maxLength) {
    throw wrong([`it may have ${maxLength} characters, this has ${text.length}.`], "Shorten the rules.");
  }
  const documents = readYaml(text, { file: healthAnnotation });
  const list = documents[0]?.value ?? [];
  if (!Array.isArray(list)) throw wrong(["expected a list of rules."], "Write `- kind: …` and `current: …`.");
  const rules = list.map(ruleOf);
  const problems = problemsOf(rules);
  if (problems.length === 0) return rules;
  const lines = problems.map(({ rule, field, column, message }) => {
    const line = documents[0]?.placeOf(field === "kind" ? [rule] : [rule, field]).line ?? 0;
    return `rule ${rule + 1} (line ${line} of it), ${field}${column === 0 ? "" : `, column ${column}`}: ${message}`;
  });
  throw wrong(lines, problems[0]?.next ?? "");
}

function ruleOf(value: Json, at: number): UserRule {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong([`rule ${at + 1}: expected a map, found something else.`], "Write `- kind: …` and `current: …`.");
  }
  const given = value as JsonObject;
  const unknown = Object.keys(given).find((key) => !keys.has(key));
  if (unknown !== undefined) {
    throw wrong([`rule ${at + 1}: ${unknown} is no field of a rule.`], `It has ${[...keys].join(", ")}.`);
  }
  const text = (field: string): string => {
    const found = given[field] ?? "";
    if (typeof found === "string") return found;
    // `current: true` is a bool to YAML, and an expression to us.
    if (typeof found === "boolean") return String(found);
    throw wrong([`rule ${at + 1}: ${field} must be a text.`], "Put it in quotes.");
  };
  const apiVersion = text("apiVersion");
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : text("group");
  const [suspended, inProgress, failed, current, message] = ruleFields.map(text);
  return {
    group,
    kind: text("kind"),
    suspended: suspended ?? "",
    inProgress: inProgress ?? "",
    failed: failed ?? "",
    current: current ?? "",
    message: message ?? "",
  };
}

function wrong(lines: readonly string[], next: string): Fault {
  return new Fault("bad-input", {
    message: `${healthAnnotation}: ${lines.join(" ")}`,
    where: { field: "metadata.annotations" },
    next,
  });
}
