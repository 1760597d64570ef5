import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { parseDocuments } from "../documents/parse.ts";
import { asApplicationSet } from "../documents/views.ts";
import { TemplateEngine } from "../template/engine.ts";
import { generate } from "./generate.ts";
import type { GenerateInput, GenerateResult } from "./model.ts";

const repoURL = "https://git.example.org/fleet.git";

interface Wish {
  readonly go?: boolean;
  readonly name?: string;
  /** More lines of the spec. */
  readonly spec?: string;
  /** More lines of the template's spec. */
  readonly template?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly compat?: GenerateInput["compat"];
}

/** Runs a set as a person writes it; two good elements stand beside the bad one. */
function run(generators: string, wish: Wish = {}): GenerateResult {
  const { go = true, name = "{{ .name }}", spec = "", template = "", files = {}, compat = "isolate" } = wish;
  const text = `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: { name: web, namespace: argocd }
spec:
  goTemplate: ${go}
${spec.replace(/^(?=.)/gm, "  ")}
  generators: ${generators}
  template:
    metadata: { name: ${JSON.stringify(name)} }
    spec:
      project: default
      destination: { name: in-cluster }
      source:
        repoURL: ${repoURL}
        path: web
${template.replace(/^(?=.)/gm, "      ")}
`;
  const { documents, faults } = parseDocuments(text, { owner: "cli:test", file: "set.yaml", revision: "" });
  assert.deepEqual(
    faults.map((fault) => fault.message),
    [],
  );
  const [document] = documents;
  assert(document);
  return generate(new TemplateEngine(), {
    set: asApplicationSet(document),
    clusters: [],
    projects: new Set(["default"]),
    git: {
      tree: () => ({
        commit: "c1",
        complete: true,
        paths: () => Object.keys(files),
        text: (path) => files[path],
      }),
    },
    listings: {
      get: () => ({
        fault: new Fault("api-unreachable", { message: "https://api.github.com answered 500.", next: "Wait." }),
      }),
    },
    compat,
    newGitFileGlobbing: false,
  });
}

const list = (...elements: string[]) => `[{ list: { elements: [{ name: a }, ${elements.join(", ")}, { name: z }] } }]`;

interface Expected {
  readonly generator?: string;
  readonly element?: object;
  readonly field?: string;
  readonly line?: number;
  readonly column?: number;
  readonly says: RegExp;
  /** What goes out all the same. */
  readonly names?: readonly string[];
}

/** The set, the generator's path, the element, the field and the position in its template; neighbours go on. */
function expectFault(result: GenerateResult, expected: Expected): void {
  const [first] = result.faults;
  assert(first, "a fault was expected");
  const { fault, generator, element } = first;
  const { set, field, line, column } = fault.where;
  assert.equal(set, "argocd/web");
  assert.equal(generator, expected.generator ?? "generators[0].list");
  assert.equal(fault.where.generator, generator);
  assert.equal(fault.where.element, element === undefined ? undefined : JSON.stringify(element));
  assert.match(result.conditions[0]?.message ?? "", /set argocd\/web, generator generators\[/);
  assert.deepEqual(element, expected.element);
  assert.deepEqual({ field, line, column }, { field: expected.field, line: expected.line, column: expected.column });
  assert.match(fault.message, expected.says);
  assert.notEqual(fault.next ?? "", "", "it says what to do");
  assert.equal(result.complete, false);
  assert.equal(result.conditions[0]?.status, "True");
  assert.deepEqual(
    result.applications.map(({ application }) => application.metadata.name),
    expected.names ?? ["a", "z"],
  );
}

const name = "spec.template.metadata.name";

describe("a template that does not parse", () => {
  for (const [what, template, says, column] of [
    ["an unknown function", "{{ .name | shout }}", /function "shout" not defined/, 12],
    ["an unclosed action", "x{{ .name", /unclosed action|unterminated/, 10],
    ["a template that is not there", '{{ template "no" }}', /no/, 13],
  ] as const) {
    it(`${what}: each element is named`, () => {
      const result = run("[{ list: { elements: [{ name: a }] } }]", { name: template });
      expectFault(result, { element: { name: "a" }, field: name, line: 1, column, says, names: [] });
    });
  }

  it("an unknown option is told", () => {
    const result = run("[{ list: { elements: [{ name: a }] } }]", { spec: "goTemplateOptions: [missingkey=maybe]" });
    expectFault(result, {
      element: { name: "a" },
      field: name,
      line: 1,
      column: 1,
      says: /missingkey=maybe/,
      names: [],
    });
  });
});

describe("a template that fails for one element", () => {
  const guard = (body: string) => `{{ if index . "bad" }}${body}{{ end }}{{ .name }}`;
  for (const [what, body, says, pointed] of [
    ["a wrong type of argument", "{{ splitList 3 .name }}", /expected string; found 3|wrong type/, "3 .name"],
    ["a comparison of types", "{{ if eq .bad 1 }}{{ end }}", /incompatible types/, "eq .bad"],
    ["a missing key", "{{ .nope.deep }}", /nope|nil/, ".deep"],
    ["a range that never ends", "{{ range until 1000000000 }}x{{ end }}", /steps|budget|too/, ""],
    ["100 MB of output", '{{ repeat 100000000 "x" }}', /takes more than 1000000 steps/, ""],
    ["a template that includes itself", '{{ template "x" . }}', /depth|deep/, '"x" .'],
  ] as const) {
    it(`${what}: it alone is left out`, () => {
      const text = `{{ define "x" }}{{ template "x" . }}{{ end }}${guard(body)}`;
      const spec = "goTemplateOptions: [missingkey=error]";
      const result = run(list("{ name: b, bad: true }"), { name: text, spec });
      const column = result.faults[0]?.fault.where.column ?? 0;
      expectFault(result, { element: { name: "b", bad: true }, field: name, line: 1, column, says });
      assert.ok(column > 0 && text.slice(column - 1).startsWith(pointed), text.slice(column - 1));
    });
  }

  it("deep in the template, in free JSON and in a key", () => {
    const bad = '{{ if .bad }}{{ fail "no" }}{{ end }}x';
    const deep = `helm:\n  parameters: [{ name: p, value: x }, { name: q, value: ${JSON.stringify(bad)} }]`;
    const source = "spec.template.spec.source.helm";
    const element = { name: "b", bad: true };
    const says = /no/;
    const at = { element, says, line: 1 };
    const inside = (template: string) =>
      run(list("{ name: b, bad: true }"), { template: template.replace(/^/gm, "  ") });
    expectFault(inside(deep), { ...at, field: `${source}.parameters[1].value`, column: 17 });
    const free = `helm:\n  valuesObject: { a: [{ "b.c": ${JSON.stringify(bad)} }] }`;
    expectFault(inside(free), { ...at, field: `${source}.valuesObject.a[0]["b.c"]`, column: 17 });
  });

  it("in a multi-line text, with its line", () => {
    const result = run(list("{ name: b, bad: true }"), {
      template: '  helm:\n    values: |\n      a: 1\n      b: {{ if .bad }}{{ fail "no" }}{{ end }}',
    });
    expectFault(result, {
      element: { name: "b", bad: true },
      field: "spec.template.spec.source.helm.values",
      line: 2,
      column: 20,
      says: /no/,
    });
  });

  it("in values of a generator, whose path is that of the child", () => {
    const result = run(
      `[{ matrix: { generators: [{ list: { elements: [{ name: a }] } }, { git: { repoURL: ${repoURL}, revision: main, directories: [{ path: "*" }], values: { v: '{{ fail "no" }}' } } }] } }]`,
      { files: { "x/a.yaml": "" } },
    );
    const [first] = result.faults;
    assert.match(first?.generator ?? "", /^generators\[0\]\.matrix\.generators\[1\]/);
    assert.match(first?.fault.message ?? "", /no/);
    assert.deepEqual([first?.fault.where.line, first?.fault.where.column], [1, 4]);
  });

  it("in the second child of a matrix", () => {
    const result = run(
      `[{ matrix: { generators: [{ list: { elements: [{ name: a }, { name: b, bad: true }] } }, { list: { elements: [{ x: '{{ if .bad }}{{ fail "no" }}{{ end }}1' }] } }] } }]`,
    );
    expectFault(result, {
      generator: "generators[0].matrix.generators[1]",
      element: { name: "b", bad: true },
      field: "list.elements[0].x",
      line: 1,
      column: 17,
      says: /no/,
      names: ["a"],
    });
  });
});

describe("a templatePatch", () => {
  const patch = (body: string) =>
    run(list("{ name: b, bad: true }"), { spec: `templatePatch: |\n${body.replace(/^/gm, "  ")}` });
  const of = { element: { name: "b", bad: true } };

  it("that yields no YAML", () => {
    const result = patch("spec:\n  info: {{ if .bad }}[{{ else }}[]{{ end }}");
    assert.match(result.faults[0]?.fault.where.field ?? "", /^spec\.templatePatch/);
    assert.ok((result.faults[0]?.fault.where.line ?? 0) > 0);
    assert.deepEqual(result.faults[0]?.element, of.element);
    assert.deepEqual(
      result.applications.map(({ application }) => application.metadata.name),
      ["a", "z"],
    );
  });

  it("that yields text where true or false belongs", () => {
    const result = patch(
      'spec:\n  syncPolicy:\n    automated:\n      prune: {{ if .bad }}"yes"{{ else }}true{{ end }}',
    );
    expectFault(result, {
      ...of,
      field: "spec.templatePatch: spec.syncPolicy.automated.prune",
      says: /spec\.syncPolicy\.automated\.prune must be true or false; found the text "yes"/,
    });
  });

  it("that is no map", () => {
    expectFault(patch("{{ if .bad }}- a{{ end }}"), { ...of, field: "spec.templatePatch", says: /is a map/ });
  });
});

describe("generators", () => {
  it("a value that is no text, without goTemplate", () => {
    const result = run(list("{ name: b, replicas: 3 }"), { go: false, name: "{{name}}" });
    expectFault(result, {
      element: { name: "b", replicas: 3 },
      field: "elements.replicas",
      says: /is text; replicas is not/,
    });
  });

  it("a selector that is none, with its place", () => {
    const result = run(
      "[{ list: { elements: [{ name: a }] }, selector: { matchExpressions: [{ key: a, operator: Near }] } }]",
    );
    const [first] = result.faults;
    assert.match(first?.generator ?? "", /^generators\[0\]/);
    assert.match(first?.fault.message ?? "", /operator is In, NotIn, Exists or DoesNotExist; found "Near"/);
    for (const selector of ["{ matchLabels: { 'a b': c } }", "{ matchExpressions: [{ key: a, operator: In }] }"]) {
      const wrong = run(`[{ clusters: { selector: ${selector} } }, { list: { elements: [{ name: a }] } }]`);
      assert.equal(wrong.faults[0]?.generator, "generators[0].clusters");
      assert.equal(wrong.applications.length, 1);
    }
  });

  it("a file that cannot be parsed, beside others", () => {
    const files = {
      "envs/a.yaml": "name: a",
      "envs/b.yaml": "name: [",
      "envs/c.json": '{ "name": ',
      "envs/z.yaml": "name: z",
    };
    const result = run(`[{ git: { repoURL: ${repoURL}, revision: main, files: [{ path: "envs/*" }] } }]`, { files });
    assert.deepEqual(
      result.faults.map(({ fault, generator }) => [
        generator,
        fault.where.file,
        fault.where.repository,
        fault.where.set,
      ]),
      ["envs/b.yaml", "envs/c.json"].map((file) => ["generators[0].git", file, repoURL, "argocd/web"]),
    );
    assert.deepEqual(
      result.applications.map(({ application }) => application.metadata.name),
      ["a", "z"],
    );
  });

  it("a server that fails", () => {
    const result = run("[{ pullRequest: { github: { owner: o, repo: r } } }, { list: { elements: [{ name: a }] } }]");
    expectFault(result, { generator: "generators[0].pullRequest", says: /answered 500/, names: ["a"] } as Expected);
  });

  it("names that are no DNS names, and that two elements share: both stay as they are", () => {
    const result = run(list('{ name: "Not_A_Name" }', "{ name: twin }", "{ name: twin, other: 1 }"));
    assert.deepEqual(
      result.rejected.map(({ rejection, fault, trace }) => [
        rejection,
        fault.where.set,
        fault.where.generator,
        trace.element,
      ]),
      [
        ["name-invalid", "argocd/web", "generators[0].list", { name: "Not_A_Name" }],
        ["duplicate-name", "argocd/web", "generators[0].list", { name: "twin" }],
        ["duplicate-name", "argocd/web", "generators[0].list", { name: "twin", other: 1 }],
      ],
    );
    assert.deepEqual([...result.heldNames].sort(), ["Not_A_Name", "twin"]);
    assert.deepEqual(
      result.applications.map(({ application }) => application.metadata.name),
      ["a", "z"],
    );
    assert.equal(result.conditions[0]?.reason, "ApplicationValidationError");
    assert.match(result.conditions[0]?.message ?? "", /\(and 2 more\)/);
  });

  it("a list of 10,000 elements, one of them wrong", () => {
    const elements = Array.from({ length: 10_000 }, (_, index) =>
      index === 5000 ? "{ nome: x }" : `{ name: n${index} }`,
    );
    const result = run(`[{ list: { elements: [${elements.join(", ")}] } }]`, {
      spec: "goTemplateOptions: [missingkey=error]",
    });
    assert.equal(result.applications.length, 9999);
    assert.deepEqual(result.faults[0]?.element, { nome: "x" });
  });

  it("all of it stops a strict set", () => {
    for (const [generators, wish] of [
      [list("{ name: b, bad: true }"), { name: '{{ if .bad }}{{ fail "no" }}{{ end }}{{ .name }}' }],
      ["[{ pullRequest: { github: { owner: o, repo: r } } }, { list: { elements: [{ name: a }] } }]", {}],
      [list("{ name: b, replicas: 3 }"), { go: false, name: "{{name}}" }],
    ] as const) {
      const result = run(generators, { ...wish, compat: "strict" });
      assert.deepEqual([result.applications, result.complete, result.conditions[0]?.status], [[], false, "True"]);
    }
  });
});
