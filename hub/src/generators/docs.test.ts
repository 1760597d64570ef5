import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, it } from "node:test";
import { Fault } from "@capstan/proto";
import { generatorShape } from "../documents/application-set-shape.ts";
import type { Json, JsonObject } from "../documents/model.ts";
import { parseDocuments } from "../documents/parse.ts";
import type { Shape } from "../documents/shape.ts";
import { asApplicationSet } from "../documents/views.ts";
import type { Listing } from "../listings/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { readYaml } from "../yaml/read.ts";
import { generate } from "./generate.ts";
import type { GenerateInput } from "./model.ts";
import { generatorKinds } from "./transform.ts";

const folder = join(import.meta.dirname, "../../../docs/generators");
const pages = globSync("*.md", { cwd: folder }).filter((name) => name !== "README.md");

/** What a page gives its example. */
interface Given {
  readonly clusters?: readonly { readonly name: string; readonly server: string; readonly labels?: JsonObject }[];
  readonly git?: Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, string>>>>>>;
  readonly configMaps?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly pullRequests?: Listing["items"];
  readonly repositories?: Listing["items"];
  readonly plugin?: Listing["items"];
}

/** The blocks after a page's "Example": the set, what is given and what it makes. */
function exampleOf(page: string) {
  const after = page.slice(page.indexOf("\n## Example\n"));
  const blocks = [...after.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, block = ""]) => block);
  const marked = (mark: string) => {
    const block = blocks.find((each) => each.startsWith(`# ${mark}\n`)) ?? "";
    return readYaml(block, { file: mark })[0]?.value;
  };
  const given = (marked("given") ?? {}) as Given;
  return {
    set: blocks[0] ?? "",
    documents: blocks.filter((each) => !each.startsWith("# ")),
    given,
    makes: marked("makes"),
  };
}

function inputOf(set: GenerateInput["set"], given: Given): GenerateInput {
  return {
    set,
    clusters: (given.clusters ?? []).map(({ name, server, labels = {} }) => ({
      name,
      server,
      labels: labels as Record<string, string>,
      annotations: {},
    })),
    projects: new Set(["default"]),
    git: {
      tree(repoURL, revision) {
        const files = given.git?.[repoURL]?.[revision] ?? {};
        return { commit: "c", complete: true, paths: () => Object.keys(files), text: (path) => files[path] };
      },
    },
    listings: {
      get({ kind }) {
        const items = given[kind];
        if (items === undefined) return { fault: new Fault("internal", { message: "nothing is given." }) };
        return { listing: { kind, items } as Listing, asOf: 0 };
      },
    },
    configMap: (name) => given.configMaps?.[name],
    compat: "isolate",
    newGitFileGlobbing: false,
  };
}

/** What of a value the page tells. */
function told(value: Json | undefined, by: Json): Json | undefined {
  if (Array.isArray(by) && Array.isArray(value))
    return value.map((item, index) => told(item, by[index] ?? null) ?? null);
  if (!isMap(by) || !isMap(value)) return value;
  return Object.fromEntries(Object.entries(by).map(([key, part]) => [key, told(value[key], part) ?? null]));
}

function isMap(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Names of the fields of a generator: its own and those of its providers. */
function fieldsOf(shape: Shape, depth = 2): string[] {
  if (depth === 0) return [];
  if (shape.kind === "list") return fieldsOf(shape.of, depth);
  if (shape.kind !== "struct") return [];
  return [...shape.fields].flatMap(([name, field]) =>
    ["template", "selector", "labelSelector", "generators"].includes(name)
      ? [name]
      : [name, ...fieldsOf(field.shape, depth - 1)],
  );
}

describe("docs/generators", () => {
  it("has a page for each generator", () => {
    const kebab = (kind: string) => `${kind.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.md`;
    assert.deepEqual([...pages].sort(), generatorKinds.map(kebab).sort());
  });

  for (const name of pages) {
    const page = readFileSync(join(folder, name), "utf8");
    const kind = basename(name, ".md").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());

    it(`${name}: its example makes what it says`, () => {
      const { set: text, documents, given, makes } = exampleOf(page);
      const parsed = parseDocuments(text, { owner: "cli:docs", file: name, revision: "" });
      const all = documents.flatMap(
        (each) => parseDocuments(each, { owner: "cli:docs", file: name, revision: "" }).faults,
      );
      assert.deepEqual([all.map(({ message }) => message), parsed.warnings.map(({ message }) => message)], [[], []]);
      const [document] = parsed.documents;
      assert.ok(document);
      const result = generate(new TemplateEngine(), inputOf(asApplicationSet(document), given));
      assert.deepEqual(result.conditions[0]?.status, "False", result.conditions[0]?.message);
      const made = result.applications.map(({ application }) => application as unknown as JsonObject);
      assert.ok(Array.isArray(makes) && makes.length > 0);
      const expected = makes as JsonObject[];
      const byName = (list: readonly JsonObject[]) => [...list].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
      const sorted = byName(expected);
      assert.deepEqual(
        byName(made).map((application, index) => told(application, sorted[index] ?? {})),
        sorted,
      );
    });

    it(`${name}: names each field, and what differs`, () => {
      const field = generatorShape.fields.get(kind);
      assert.ok(field, kind);
      const before = page.slice(0, page.indexOf("\n## Example\n"));
      assert.deepEqual(
        [...new Set(fieldsOf(field.shape))].filter((each) => !before.includes(`\`${each}\``)),
        [],
      );
      assert.match(page, /\n## What differs from Argo CD\n\n\| here \| there \|\n/);
    });
  }
});

function nameOf(application: JsonObject): string {
  return String((application["metadata"] as JsonObject)["name"]);
}
