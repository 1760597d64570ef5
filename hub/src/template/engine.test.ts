import assert from "node:assert/strict";
import { test } from "node:test";
import { TemplateEngine, TemplateFault } from "./engine.ts";
import { mapFromJson } from "./value.ts";

const mode = { goTemplate: true, options: [] };
const params = () => mapFromJson({ name: "edge", list: [1, 2, 3], map: { a: 1 } });

function fault(text: string, engine = new TemplateEngine(), options: readonly string[] = []): TemplateFault {
  try {
    engine.render(text, params(), { goTemplate: true, options });
  } catch (thrown) {
    assert(thrown instanceof TemplateFault, String(thrown));
    return thrown;
  }
  return assert.fail(`nothing was refused: ${text}`);
}

test("every fault has its stage, line and column, and what to do", () => {
  const cases: [string, string, number, number, RegExp][] = [
    ["a\n{{ nope }}", "parse", 2, 4, /function "nope" not defined/],
    ["{{ if .name }}x", "parse", 1, 16, /unexpected EOF/],
    ["{{ upper 5 }}", "exec", 1, 10, /expected string/],
    ["x {{ .name.first }}", "exec", 1, 11, /can't evaluate field first in type interface/],
    ['\n\n  {{ fail "why" }}', "exec", 3, 6, /error calling fail: why/],
  ];
  for (const [text, stage, line, column, message] of cases) {
    const found = fault(text);
    assert.deepEqual([found.stage, found.where.line, found.where.column], [stage, line, column], text);
    assert.match(found.message, message);
    assert.equal(found.code, "bad-template");
    assert(found.next);
  }
  assert.equal(fault("{{ .gone }}", new TemplateEngine(), ["missingkey=error"]).missingKey, true);
  assert.equal(fault("{{ .gone }}", new TemplateEngine(), ["nonsense"]).stage, "option");
});

test("bombs end with a clear fault", () => {
  const engine = new TemplateEngine({ limits: { steps: 100_000, output: 100_000 } });
  const bombs = [
    "{{ range until 1000000000 }}x{{ end }}",
    "{{ range 1000000000000 }}x{{ end }}",
    '{{ repeat 1000000000 "xxxxxxxx" }}',
    '{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}',
    '{{ define "t" }}{{ template "t" . }}{{ template "t" . }}{{ end }}{{ template "t" . }}',
    '{{ $x := "a" }}{{ range until 100 }}{{ $x = printf "%s%s" $x $x }}{{ end }}',
    "{{ $x := list 1 }}{{ range until 100 }}{{ $x = concat $x $x }}{{ end }}",
    '{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ $m }}',
    '{{ $m := dict }}{{ $_ := set $m "m" $m }}{{ toJson $m }}',
    '{{ replace "" "xxxxxxxxxxxxxxxx" (repeat 50000 "y") }}',
    "{{ seq 1 1000000000 }}",
    `{{ ${"(".repeat(5000)}1${")".repeat(5000)} }}`,
    "{{ if .name }}".repeat(5000),
  ];
  for (const text of bombs) assert(fault(text, engine).message.length < 2_000, text.slice(0, 60));
});

test("a hostile regular expression takes linear time", () => {
  const engine = new TemplateEngine();
  assert.equal(engine.render('{{ regexMatch "(a+)+$" (repeat 20000 "a" | printf "%s!") }}', params(), mode), "false");
});

test("a text is compiled once", () => {
  const engine = new TemplateEngine({ cacheSize: 2 });
  for (let i = 0; i < 5; i += 1) assert.equal(engine.render("{{ .name }}!", params(), mode), "edge!");
  assert.deepEqual(engine.counts, { parses: 1, renders: 5 });
  for (const text of ["{{ 1 }}", "{{ 2 }}", "{{ .name }}!"]) engine.render(text, params(), mode);
  assert.equal(engine.counts.parses, 4);
});

test("what changes from render to render is refused", () => {
  for (const text of ["{{ now }}", "{{ uuidv4 }}", "{{ randAlpha 5 }}", "{{ genPrivateKey }}"]) {
    assert.match(fault(text).message, /nothing would ever be in sync/);
  }
  assert.equal(
    new TemplateEngine({ now: () => 86_400_000 }).render('{{ now | date "2006-01-02" }}', params(), mode),
    "1970-01-02",
  );
});

test("the old mode fills in texts and leaves the rest", () => {
  const engine = new TemplateEngine();
  const render = (text: string) =>
    engine.render(text, mapFromJson({ name: "edge", n: 5 }), { goTemplate: false, options: [] });
  assert.equal(render("{{name}}-{{ name }}-{{n}}-{{gone}}"), "edge-edge-{{n}}-{{gone}}");
  assert.throws(
    () => render("{{name}} {{open"),
    (thrown) => thrown instanceof TemplateFault && thrown.stage === "fasttemplate",
  );
});

test("what grows with each round ends with a clear fault, and at once", () => {
  const rounds = (start: string, step: string, end = "") =>
    `{{ $x := ${start} }}{{ range 90 }}{{ $x = ${step} }}{{ end }}${end}`;
  const bombs = [
    rounds('"\\""', "quote $x"),
    rounds('"aaaaaaaa"', "b64enc (print $x $x)"),
    rounds("list 1", "list $x $x", "{{ $x }}"),
    rounds("list 1", "list $x $x", '{{ printf "%v" $x }}'),
    rounds("list 1", "list $x $x", "{{ toJson $x }}"),
    rounds("list 1", "list $x $x", "{{ toYaml $x }}"),
    rounds("list 1", "list $x $x", "{{ deepEqual $x (deepCopy $x) }}"),
    `{{ semverCompare "${">1  ".repeat(60)}!" "1.2.3" }}`,
    '{{ $_ := set . "a" . }}{{ . }}',
  ];
  for (const text of bombs) {
    const found = fault(text);
    assert.equal(found.stage, "exec", text);
    assert(found.where.line !== undefined && found.where.column !== undefined);
  }
});
