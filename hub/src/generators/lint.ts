import type { Json, JsonObject } from "../documents/model.ts";
import { ParseError } from "../template/ast.ts";
import { floatText } from "../template/float.ts";
import { plainOutputs } from "../template/outputs.ts";
import { knownOptions } from "./context.ts";
import type { GeneratedApplication, GenerateResult } from "./model.ts";

/** Where a finding stands: a field of the document, and a place within its text. */
export interface LintPlace {
  readonly path: readonly (string | number)[];
  /** UTF-16 units from the start of the field's text; absent: the field as a whole. */
  readonly offset?: number;
}

/** Something that works as written, but hardly as meant; or that does not work at all. */
export interface Finding extends LintPlace {
  /** A word for the trap, as docs/cli.md lists them. */
  readonly trap: string;
  readonly message: string;
  readonly next: string;
}

interface Written extends LintPlace {
  readonly text: string;
}

/** Looks a set's document over for traps; `result` is what its generators make of what is known. */
export function lintSet(raw: JsonObject, result: GenerateResult): readonly Finding[] {
  const spec = raw["spec"] as JsonObject;
  const made = [...result.applications, ...result.rejected];
  const texts = textsOf(spec, ["spec"]);
  const goTemplate = spec["goTemplate"] === true;
  return [
    ...texts.flatMap((written) => (goTemplate ? parseFindings(written) : oldModeFindings(written))),
    ...optionFindings(spec),
    ...(goTemplate ? texts.filter(isOfTemplate).flatMap((written) => outputFindings(written, spec, made)) : []),
    ...generatorFindings(spec["generators"], ["spec", "generators"]),
    ...nameFindings(result),
  ];
}

/** Texts that hold a tag. */
function textsOf(value: Json | undefined, path: readonly (string | number)[]): Written[] {
  if (typeof value === "string") return value.includes("{{") ? [{ text: value, path }] : [];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap((item: Json, index) => textsOf(item, [...path, index]));
  return Object.entries(value).flatMap(([key, item]) => textsOf(item, [...path, key]));
}

function isOfTemplate({ path }: Written): boolean {
  return path[1] === "template" || path[1] === "templatePatch";
}

function parseFindings({ text, path }: Written): Finding[] {
  try {
    plainOutputs(text);
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ParseError)) throw thrown;
    const name = /^function "(\w+)" not defined$/.exec(thrown.message)?.[1];
    const next =
      name === undefined
        ? "Mend the template at this place."
        : `With goTemplate: true a parameter has a dot before it: {{ .${name} }}.`;
    return [{ trap: "template", path, offset: thrown.offset, message: thrown.message, next }];
  }
}

/** In the old mode only `{{name}}` is filled in; the language of Go is left as it stands. */
function oldModeFindings({ text, path }: Written): Finding[] {
  const found = /\{\{-?\s*(?:\.|\$|(?:if|else|end|range|with|define|template|block)\b|\w+\s+[."$(]|[^}]*\|)/.exec(text);
  if (found === null) return [];
  return [
    {
      trap: "mode",
      path,
      offset: found.index,
      message: "without goTemplate: true this is no template: it stays as it stands.",
      next: "Set spec.goTemplate: true, or write {{name}}.",
    },
  ];
}

function optionFindings(spec: JsonObject): Finding[] {
  const options = (spec["goTemplateOptions"] as readonly Json[] | undefined) ?? [];
  return options.flatMap((option, index) =>
    knownOptions.some((known) => known === option)
      ? []
      : [
          {
            trap: "option",
            path: ["spec", "goTemplateOptions", index],
            message: `there is no option ${JSON.stringify(option)}; Argo CD crashes on it.`,
            next: `Write one of ${knownOptions.join(", ")}.`,
          },
        ],
  );
}

function outputFindings(written: Written, spec: JsonObject, made: readonly GeneratedApplication[]): Finding[] {
  let outputs: ReturnType<typeof plainOutputs>;
  try {
    outputs = plainOutputs(written.text);
  } catch (thrown) {
    if (thrown instanceof ParseError) return [];
    throw thrown;
  }
  const strict = ((spec["goTemplateOptions"] as readonly Json[] | undefined) ?? []).includes("missingkey=error");
  return outputs.flatMap(({ path, offset }) => {
    const name = `.${path.join(".")}`;
    const values = made.map((one) => ({ one, value: valueAt(one.trace.element, path) }));
    const place = { path: written.path, offset };
    const large = values.find(({ value }) => typeof value === "number" && floatText(value).includes("e"));
    const lacking = strict ? [] : values.filter(({ value }) => value === undefined || value === null);
    return [
      ...(large === undefined
        ? []
        : [
            {
              ...place,
              trap: "number",
              message: `${name} prints as ${floatText(Number(large.value))} (in ${large.one.application.metadata.name}): numbers of YAML are floats.`,
              next: `Write {{ ${name} | int64 }}, or put the number in quotes.`,
            },
          ]),
      ...(lacking.length === 0
        ? []
        : [
            {
              ...place,
              trap: "missing",
              message: `${name} is missing in ${lacking.length} of ${made.length} elements and prints as <no value>, first in ${lacking[0]?.one.trace.generator}.`,
              next: `Set goTemplateOptions: ["missingkey=error"], or write {{ ${name} | default "…" }}.`,
            },
          ]),
    ];
  });
}

function valueAt(element: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = element;
  for (const key of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = (value as JsonObject)[key];
  }
  return value;
}

function generatorFindings(entries: Json | undefined, path: readonly (string | number)[]): Finding[] {
  if (!Array.isArray(entries)) return [];
  return entries.flatMap((entry: Json, index) => entryFindings(entry as JsonObject, [...path, index]));
}

function entryFindings(entry: JsonObject, path: readonly (string | number)[]): Finding[] {
  const child = (kind: "matrix" | "merge") => {
    const written = entry[kind] as JsonObject | undefined;
    return generatorFindings(written?.["generators"], [...path, kind, "generators"]);
  };
  return [
    ...clusterFindings(entry["clusters"] as JsonObject | null | undefined, [...path, "clusters"]),
    ...gitFindings(entry["git"] as JsonObject | undefined, [...path, "git"]),
    ...pairFindings(entry["matrix"] as JsonObject | undefined, [...path, "matrix", "generators"]),
    ...child("matrix"),
    ...child("merge"),
  ];
}

const secretType = "argocd.argoproj.io/secret-type";

function clusterFindings(clusters: JsonObject | null | undefined, path: readonly (string | number)[]): Finding[] {
  if (clusters === undefined) return [];
  const selector = (clusters?.["selector"] ?? {}) as JsonObject;
  const labels = (selector["matchLabels"] ?? {}) as JsonObject;
  const expressions = (selector["matchExpressions"] ?? []) as readonly JsonObject[];
  if (Object.keys(labels).length === 0 && expressions.length === 0) {
    return [
      {
        trap: "selector",
        path,
        message: "an empty selector takes every cluster there is, and the one that Argo CD runs in.",
        next: "Name labels; if all are meant, say so: matchExpressions with Exists on a label that all have.",
      },
    ];
  }
  const hidden = secretType in labels || expressions.some(({ key }) => key === secretType);
  return hidden
    ? [
        {
          trap: "selector",
          path: [...path, "selector"],
          message: `${secretType} in a selector is overwritten in silence.`,
          next: "Select by another label.",
        },
      ]
    : [];
}

function gitFindings(git: JsonObject | undefined, path: readonly (string | number)[]): Finding[] {
  const items = (key: "files" | "directories") =>
    ((git?.[key] ?? []) as readonly JsonObject[]).map((item, index) => ({
      pattern: typeof item["path"] === "string" ? item["path"] : "",
      path: [...path, key, index, "path"],
    }));
  const glob = (at: { readonly path: readonly (string | number)[] }, message: string, next: string): Finding => ({
    trap: "glob",
    path: at.path,
    message,
    next,
  });
  return [
    ...items("files")
      .filter(({ pattern }) => /(?<!\{)\{[^{}]*,[^{}]*\}(?!\})/.test(pattern))
      .map((at) =>
        glob(
          at,
          "braces are letters like any other, unless the globbing is doublestar.",
          'Write two patterns, or annotate the set with capstan.dev/git-globbing: "doublestar".',
        ),
      ),
    ...items("directories")
      .filter(({ pattern }) => pattern.includes("**"))
      .map((at) => glob(at, "** does not go deeper than * here.", "Write a pattern for each depth: apps/*, apps/*/*.")),
    ...items("directories")
      .filter(({ pattern }) => pattern.includes("[!"))
      .map((at) => glob(at, "[!…] is no negation here: it also takes the sign itself.", "Write [^…].")),
  ];
}

/** Two Git generators of one matrix both give `path`. */
function pairFindings(matrix: JsonObject | undefined, path: readonly (string | number)[]): Finding[] {
  const children = (matrix?.["generators"] ?? []) as readonly JsonObject[];
  const unnamed = children.filter((child) => {
    const git = child["git"] as JsonObject | undefined;
    return git !== undefined && (git["pathParamPrefix"] ?? "") === "";
  });
  if (unnamed.length < 2) return [];
  return [
    {
      trap: "path",
      path: [...path, 1],
      message: "both Git generators give path, and the first one's is seen alone.",
      next: "Set pathParamPrefix on one of them.",
    },
  ];
}

function nameFindings(result: GenerateResult): Finding[] {
  const traps: Readonly<Record<string, string>> = {
    "no-name": "name",
    "name-invalid": "name",
    "duplicate-name": "collision",
    "project-missing": "project",
    "destination-invalid": "destination",
  };
  const places: Readonly<Record<string, readonly string[]>> = {
    "project-missing": ["spec", "template", "spec", "project"],
    "destination-invalid": ["spec", "template", "spec", "destination"],
  };
  const seen = new Set<string>();
  return result.rejected.flatMap(({ rejection, fault, trace }) => {
    if (seen.has(fault.message)) return [];
    seen.add(fault.message);
    return [
      {
        trap: traps[rejection] ?? rejection,
        path: places[rejection] ?? ["spec", "template", "metadata", "name"],
        message: `${fault.message.replace(/\.$/, "")} (${trace.generator}).`,
        next: fault.next ?? "Mend the template.",
      },
    ];
  });
}
