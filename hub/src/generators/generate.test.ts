import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { parseDocuments } from "../documents/parse.ts";
import { asApplicationSet } from "../documents/views.ts";
import { TemplateEngine } from "../template/engine.ts";
import { generate } from "./generate.ts";
import type { GenerateInput, GenerateResult, GitSnapshot, GitTreeView } from "./model.ts";
import { allowedChanges } from "./policy.ts";

const repoURL = "https://git.example.org/fleet.git";
const server = (name: string) => `https://${name}.example.org`;
const cluster = (name: string, labels: Record<string, string> = {}) => ({
  name,
  server: server(name),
  labels,
  annotations: {},
});

function setOf(generators: string, template = "{{ .name }}", extra = ""): GenerateInput["set"] {
  const text = `apiVersion: argoproj.io/v1alpha1
kind: ApplicationSet
metadata: {name: web, namespace: argocd}
spec:
  goTemplate: true
  goTemplateOptions: ["missingkey=error"]
${extra}  generators: ${generators}
  template:
    metadata: {name: '${template}'}
    spec:
      project: default
      source: {repoURL: ${repoURL}, path: web}
      destination: {name: in-cluster}
`;
  const { documents, faults } = parseDocuments(text, { owner: "cli:test", file: "set.yaml", revision: "" });
  assert.deepEqual(
    faults.map((fault) => fault.message),
    [],
  );
  const [document] = documents;
  assert(document);
  return asApplicationSet(document);
}

const nothing: GitSnapshot = { tree: () => undefined };

function treeOf(files: Record<string, string | undefined>, more: Partial<GitTreeView> = {}): GitSnapshot {
  return {
    tree: () => ({
      commit: "c1",
      complete: true,
      paths: () => Object.keys(files),
      text: (path) => files[path],
      ...more,
    }),
  };
}

function run(set: GenerateInput["set"], more: Partial<GenerateInput> = {}): GenerateResult {
  const input: GenerateInput = {
    set,
    clusters: [],
    projects: new Set(["default"]),
    git: nothing,
    compat: "isolate",
    newGitFileGlobbing: false,
    ...more,
  };
  return generate(new TemplateEngine(), input);
}

const names = (result: GenerateResult) => result.applications.map(({ application }) => application.metadata.name);

test("one bad element is named with its generator and left out; its neighbours go on", () => {
  const set = setOf("[{list: {elements: [{name: a}, {other: b}, {name: c}]}}]");
  const result = run(set);
  assert.deepEqual(names(result), ["a", "c"]);
  const [fault] = result.faults;
  assert.deepEqual(
    [fault?.generator, fault?.element, fault?.step, fault?.fault.code],
    ["generators[0].list", { other: "b" }, "render", "bad-template"],
  );
  assert.equal(fault?.fault.where.set, "argocd/web");
  assert.equal(result.complete, false);
  assert.deepEqual(
    result.conditions.map(({ type, status, reason }) => [type, status, reason]),
    [
      ["ErrorOccurred", "True", "RenderTemplateParamsError"],
      ["ParametersGenerated", "False", "RenderTemplateParamsError"],
      ["ResourcesUpToDate", "False", "RenderTemplateParamsError"],
    ],
  );
  assert.deepEqual(names(run(set, { compat: "strict" })), []);
});

test("what is not loaded becomes a need; loading it finishes the set", () => {
  const set = setOf(`[{git: {repoURL: ${repoURL}, revision: main, files: [{path: "envs/*.yaml"}]}}]`);
  const first = run(set);
  assert.deepEqual([first.needs, first.complete], [[{ repoURL, revision: "main" }], false]);
  const second = run(set, { git: treeOf({ "envs/a.yaml": undefined, "envs/b.yaml": "name: b" }) });
  assert.deepEqual(second.needs, [{ repoURL, revision: "main", path: "envs/a.yaml" }]);
  const third = run(set, { git: treeOf({ "envs/a.yaml": "name: a", "envs/b.yaml": "name: b" }) });
  assert.deepEqual([names(third), third.needs, third.complete, third.empty], [["a", "b"], [], true, false]);
});

test("an unparsable file is named, and the others are kept", () => {
  const set = setOf(`[{git: {repoURL: ${repoURL}, revision: main, files: [{path: "*.yaml"}]}}]`);
  const result = run(set, { git: treeOf({ "a.yaml": "name: a", "b.yaml": "name: [", "c.yaml": "name: c" }) });
  assert.deepEqual(names(result), ["a", "c"]);
  const [fault] = result.faults;
  assert.deepEqual(
    [fault?.fault.code, fault?.fault.where.file, fault?.fault.where.line, fault?.fault.where.repository],
    ["bad-yaml", "b.yaml", 1, repoURL],
  );
});

test("an unreadable repository or an incomplete listing is never a complete answer", () => {
  const set = setOf(
    `[{git: {repoURL: ${repoURL}, revision: main, directories: [{path: "*"}]}}, {list: {elements: [{name: a}]}}]`,
    "x{{ .name | default .path.basename }}",
  );
  const fault = new Fault("repository-unreachable", { message: "no answer." });
  const unreadable = run(set, { git: treeOf({}, { fault }) });
  assert.deepEqual([unreadable.complete, unreadable.faults[0]?.fault.code], [false, "repository-unreachable"]);
  const incomplete = run(set, { git: treeOf({}, { complete: false }) });
  assert.deepEqual([incomplete.complete, incomplete.faults.filter(({ step }) => step === "generator")], [false, []]);
});

test("a complete and empty answer says so", () => {
  const result = run(setOf("[{clusters: {selector: {matchLabels: {env: prod}}}}]"), {
    clusters: [cluster("a", { env: "dev" })],
  });
  assert.deepEqual([result.complete, result.empty, result.faults], [true, true, []]);
});

test("a matrix names the child and the element that fail, and keeps the other products", () => {
  const set = setOf(
    `[{matrix: {generators: [{list: {elements: [{dir: good}, {nodir: x}]}}, {git: {repoURL: ${repoURL}, revision: main, files: [{path: "{{ .dir }}/*.json"}]}}]}}]`,
  );
  const result = run(set, { git: treeOf({ "good/a.json": '{"name": "a"}' }) });
  assert.deepEqual(names(result), ["a"]);
  assert.deepEqual(
    [result.faults[0]?.generator, result.faults[0]?.element],
    ["generators[0].matrix.generators[1]", { nodir: "x" }],
  );
  assert.deepEqual(result.applications[0]?.trace.element["dir"], "good");
  assert.equal(result.applications[0]?.trace.generator, "generators[0].matrix");
});

test("rejected names are held: what runs under them is neither changed nor removed", () => {
  const result = run(setOf("[{list: {elements: [{name: a}, {name: b}, {name: a}, {name: Not_DNS}]}}]"));
  assert.deepEqual(names(result), ["b"]);
  assert.deepEqual(
    result.rejected.map(({ rejection }) => rejection),
    ["duplicate-name", "duplicate-name", "name-invalid"],
  );
  assert.deepEqual([result.heldNames, result.complete], [["a", "Not_DNS"], true]);
  assert.equal(result.conditions[0]?.reason, "ApplicationValidationError");
});

test("a generator that is not there yet, or not known, is a fault beside the others", () => {
  const result = run(setOf("[{plugin: {configMapRef: {name: x}}}, {}, {list: {elements: [{name: a}]}}]"));
  assert.deepEqual([names(result), result.complete], [["a"], false]);
  assert.deepEqual(
    result.faults.map(({ fault, generator }) => [fault.code, generator]),
    [
      ["unsupported", "generators[0].plugin"],
      ["unknown-generator", "generators[1]"],
    ],
  );
});

test("a word that is no generator is named with its file, line and column, at every depth", () => {
  const matrix = "{matrix: {generators: [{clusters: {}}, {lists: {}}]}}";
  const { faults } = run(setOf(`[{cluster: {}, gti: {}}, {selector: {}, oops: 1}, ${matrix}]`));
  const told = new Map(faults.map(({ fault, generator }) => [generator, fault]));
  const [first, second] = [told.get("generators[0]"), told.get("generators[1]")];
  assert.equal(first?.code, "unknown-generator");
  assert.match(first?.message ?? "", /names no generator that is known; found cluster, gti\.$/);
  const { file, line, column, field } = first?.where ?? {};
  assert.deepEqual([file, line, column, field], ["set.yaml", 7, 17, "spec.generators[0].cluster"]);
  assert.match(second?.message ?? "", /found oops\.$/);
  const nested = [...told.values()].find(({ code }) => code === "bad-input");
  assert.match(nested?.message ?? "", /found lists\.$/);
  assert.equal(nested?.where["line"], 7);
});

test("each text is compiled once, however many elements there are", () => {
  const engine = new TemplateEngine();
  const clusters = Array.from({ length: 200 }, (_, index) => cluster(`edge-${index}`));
  const set = setOf("[{clusters: {}}]");
  const result = generate(engine, {
    set,
    clusters,
    projects: new Set(["default"]),
    git: nothing,
    compat: "isolate",
    newGitFileGlobbing: false,
  });
  assert.equal(result.applications.length, 201);
  assert.deepEqual(engine.counts, { parses: 1, renders: 201 });
});

test("a matrix bomb is stopped with its name, beside generators that go on", () => {
  const many = JSON.stringify(Array.from({ length: 600 }, (_, index) => ({ name: `n${index}` })));
  const result = run(
    setOf(
      `[{matrix: {generators: [{list: {elements: ${many}}}, {list: {elements: ${many}}}]}}, {list: {elements: [{name: a}]}}]`,
    ),
  );
  assert.deepEqual([names(result), result.complete], [["a"], false]);
  assert.deepEqual([result.faults[0]?.fault.code, result.faults[0]?.generator], ["too-large", "generators[0].matrix"]);
});

test("applicationsSync says what may happen to targets that exist", () => {
  const policy = (word: string) => allowedChanges(setOf("[]", "x", `  syncPolicy: {applicationsSync: ${word}}\n`));
  assert.deepEqual(
    [policy("sync").remove, policy("create-update").remove, policy("create-delete").update, policy("other").update],
    [true, false, false, false],
  );
});
