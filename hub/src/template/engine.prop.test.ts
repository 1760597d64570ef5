import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { TemplateEngine, TemplateFault } from "./engine.ts";
import { functionTable } from "./functions/table.ts";
import { mapFromJson } from "./value.ts";

const engine = new TemplateEngine({ limits: { steps: 20_000, output: 50_000 }, cacheSize: 10 });
const names = [...functionTable.keys()].filter((name) => name !== "derivePassword");
const values = [
  ".name",
  ".n",
  ".list",
  ".map",
  ".nul",
  ".gone",
  '"a b"',
  '"%v|%d"',
  '"(a+)"',
  "0",
  "-1",
  "2",
  "1000000",
  "1.5",
  "true",
  "nil",
  "$x",
  "'c'",
  "(list 1 2)",
  '(dict "a" 1)',
  '""',
  '"2006-01-02"',
];

const expression = fc.letrec<{ call: string; value: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom(...values),
    tie("call").map((call) => `(${call})`),
  ),
  call: fc
    .tuple(fc.constantFrom(...names), fc.array(tie("value"), { maxLength: 4 }))
    .map(([name, args]) => [name, ...args].join(" ")),
})).call;

const pieces = fc.oneof(
  expression.map((call) => `{{ ${call} }}`),
  fc.constantFrom(
    "text",
    "\n",
    "{{",
    "}}",
    "{{- ",
    " -}}",
    "{{ end }}",
    "{{ else }}",
    "{{ range .list }}",
    "{{ range $i, $x := .map }}",
    "{{ with .map }}",
    "{{ if .gone }}",
    "{{ break }}",
    '{{ define "t" }}',
    '{{ template "t" . }}',
    "{{ $x := 1 }}",
    "{{ $x = 2 }}",
    "{{/* c */}}",
    "`",
    '"',
  ),
  fc.string({ maxLength: 4 }),
);

function check(text: string): void {
  const params = mapFromJson({
    name: "edge-1",
    n: 7,
    list: [1, "two", null, { a: [] }],
    map: { a: 1, b: { c: "d" } },
    nul: null,
  });
  try {
    const output = engine.render(text, params, { goTemplate: true, options: [] });
    assert(output.length <= 50_000 && output.isWellFormed());
  } catch (thrown) {
    assert(thrown instanceof TemplateFault, `${text}\n${String(thrown)}`);
    assert(thrown.where.line !== undefined && thrown.where.column !== undefined);
  }
}

test("any template renders or is refused with a place", () => {
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 8 }), (parts) => check(`{{ $x := "x" }}${parts.join("")}`)),
    { numRuns: 3_000 },
  );
});

test("any text in the old mode renders or is refused", () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constantFrom("{{", "}}", "name", " ", "\n"), fc.string({ maxLength: 3 })), {
        maxLength: 12,
      }),
      (parts) => {
        try {
          engine.render(parts.join(""), mapFromJson({ name: "{{name}}" }), { goTemplate: false, options: [] });
        } catch (thrown) {
          assert(thrown instanceof TemplateFault);
        }
      },
    ),
  );
});
