import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeStoredDocument, encodeDocument } from "./codec.ts";
import { parseDocuments } from "./parse.ts";
import { DocumentRegistry } from "./registry.ts";

const project = (name: string, description = "") =>
  `apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: ${name}, namespace: argocd}\nspec: {description: "${description}", sourceRepos: ["*"]}\n`;
const read = (owner: string, file: string, text: string) =>
  parseDocuments(text, { owner, file, revision: "r" }).documents;
const all = { unreadable: new Set<string>() };

test("the first owner of a name keeps it, and the conflict names both places", () => {
  const registry = new DocumentRegistry();
  for (const document of read("root:fleet", "a.yaml", project("one"))) registry.put(document);
  const intake = registry.intake(read("cli:mira", "b.yaml", project("one")), {
    ...all,
    owner: "cli:mira",
    mode: "add",
  });
  assert.deepEqual(intake.puts, []);
  assert.match(intake.conflicts[0]?.message ?? "", /belongs to root:fleet, a\.yaml:1/);
  assert.deepEqual(intake.conflicts[0]?.where, { file: "b.yaml", line: 1 });
});

test("a root deletes what it no longer has, but nothing that came from a file which cannot be read", () => {
  const registry = new DocumentRegistry();
  for (const document of read("root:fleet", "a.yaml", project("one"))) registry.put(document);
  for (const document of read("root:fleet", "b.yaml", project("two"))) registry.put(document);
  const options = { owner: "root:fleet", mode: "replace" } as const;
  const gone = registry.intake([], { ...options, ...all });
  assert.deepEqual(gone.deletes.map(({ metadata }) => metadata.name).sort(), ["one", "two"]);
  const broken = registry.intake([], { ...options, unreadable: new Set(["a.yaml"]) });
  assert.deepEqual(
    broken.deletes.map(({ metadata }) => metadata.name),
    ["two"],
  );
});

test("the CLI adds and deletes nothing; the same document again is unchanged", () => {
  const registry = new DocumentRegistry();
  const [one] = read("cli:mira", "a.yaml", project("one"));
  assert.ok(one !== undefined);
  registry.put(one);
  const options = { owner: "cli:mira", mode: "add", ...all } as const;
  const intake = registry.intake(read("cli:mira", "z.yaml", project("one")), options);
  assert.deepEqual([intake.puts.length, intake.deletes.length, intake.unchanged.length], [0, 0, 1]);
  assert.equal(registry.intake(read("cli:mira", "z.yaml", project("one", "new")), options).puts.length, 1);
});

test("a name given twice by one owner is a conflict of its own", () => {
  const registry = new DocumentRegistry();
  const twice = [...read("root:f", "a.yaml", project("one")), ...read("root:f", "b.yaml", project("one"))];
  const intake = registry.intake(twice, { owner: "root:f", mode: "replace", ...all });
  assert.equal(intake.puts.length, 1);
  assert.match(intake.conflicts[0]?.message ?? "", /a\.yaml:1/);
});

test("a document comes back from the store exactly, large integers too", () => {
  const text =
    "apiVersion: argoproj.io/v1alpha1\nkind: AppProject\nmetadata: {name: one, namespace: argocd}\nspec: {sourceRepos: ['*'], weight: 9007199254740993}\n";
  const [document] = read("root:f", "a.yaml", text);
  assert.ok(document !== undefined);
  assert.deepEqual(decodeStoredDocument(encodeDocument(document)), document);
});
