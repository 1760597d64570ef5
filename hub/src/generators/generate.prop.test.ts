import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import fc from "fast-check";
import type { ApplicationSetSpec, Json, JsonObject } from "../documents/model.ts";
import { TemplateEngine } from "../template/engine.ts";
import { canonicalJson } from "../yaml/canonical.ts";
import { doublestarMatcher } from "./doublestar.ts";
import { generate } from "./generate.ts";
import { pathMatcher } from "./path-match.ts";
import { pathspecMatcher } from "./pathspec.ts";

const text = fc.oneof(
  fc.constantFrom("a", "b", "prod", "{{ .name }}", "{{.b}}", "x-{{ .name }}", "{{"),
  fc.string({ maxLength: 3 }),
);
const element = fc.dictionary(
  fc.constantFrom("name", "a", "b", "values"),
  fc.oneof(
    text,
    fc.integer(),
    fc.constant(null),
    fc.dictionary(fc.constantFrom("k", "l"), text, { noNullPrototype: true }),
  ),
  { noNullPrototype: true },
);
const list = fc.array(element, { maxLength: 3 }).map((elements): JsonObject => ({ list: { elements } }));
const entry = fc.oneof(
  list,
  fc
    .record({ goTemplate: fc.boolean(), first: list, second: list })
    .map(({ first, second }): JsonObject => ({ matrix: { generators: [first, second] } })),
  fc
    .record({ first: list, second: list })
    .map(({ first, second }): JsonObject => ({ merge: { generators: [first, second], mergeKeys: ["name"] } })),
  fc.constant<JsonObject>({ clusters: { values: { v: "{{ .name }}{{name}}" } } }),
);

function reversedKeys(value: Json): Json {
  if (Array.isArray(value)) return value.map(reversedKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, reversedKeys(item)]),
  );
}

function outcome(generators: readonly JsonObject[], goTemplate: boolean): string {
  const template = {
    metadata: { name: "{{name}}{{ .name }}", labels: { l: "{{ .b }}" } },
    spec: { project: "p", destination: { server: "{{.a}}" } },
  };
  const spec: ApplicationSetSpec = { goTemplate, generators, template };
  const metadata = { name: "s", namespace: "n", labels: {}, annotations: {}, finalizers: [] };
  const clusters = [{ name: "c1", server: "https://c1", labels: { x: "y" }, annotations: {} }];
  const result = generate(new TemplateEngine(), {
    set: { metadata, spec },
    clusters,
    projects: new Set(["p"]),
    git: { tree: () => undefined },
    compat: "isolate",
    newGitFileGlobbing: false,
  });
  for (const fault of result.faults) assert(fault.generator !== "");
  assert(
    result.complete || result.faults.length > 0 || result.rejected.some(({ rejection }) => rejection === "no-name"),
  );
  return canonicalJson(
    [...result.applications, ...result.rejected].map(({ application }) => application as unknown as Json),
  );
}

test("any set generates or tells why, whatever the order of its keys", () => {
  fc.assert(
    fc.property(fc.array(entry, { maxLength: 3 }), fc.boolean(), (generators, goTemplate) => {
      assert.equal(outcome(generators, goTemplate), outcome(reversedKeys(generators) as JsonObject[], goTemplate));
    }),
    { numRuns: 300 },
  );
});

test("any path pattern compiles or is refused", () => {
  const pattern = fc
    .array(
      fc.constantFrom(
        "a",
        "/",
        "*",
        "**",
        "?",
        "[",
        "]",
        "!",
        "^",
        "-",
        "{",
        "}",
        ",",
        "\\",
        ":",
        "(",
        ")",
        ".",
        "é",
        "[:alpha:]",
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join(""));
  fc.assert(
    fc.property(pattern, fc.constantFrom("a", "a/b", "a/b/c.yaml", "é/-", ""), (source, path) => {
      for (const compile of [pathMatcher, pathspecMatcher, doublestarMatcher]) {
        try {
          assert.equal(typeof compile(source)(path), "boolean");
        } catch (thrown) {
          assert(thrown instanceof Fault, `${source}: ${String(thrown)}`);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});
