import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { canonicalJson } from "./canonical.ts";
import { readYaml, readYamlParts } from "./read.ts";
import { toYaml } from "./write.ts";

const options = { file: "app.yaml" };
const one = (text: string) => readYaml(text, options)[0]?.value;

function refusal(text: string, extra: object = {}): Fault {
  try {
    readYaml(text, { ...options, ...extra });
  } catch (thrown) {
    assert(thrown instanceof Fault);
    return thrown;
  }
  return assert.fail("nothing was refused");
}

test("plain scalars read as Kubernetes reads them", () => {
  const scalars: [string, unknown][] = [
    ["on", true],
    ["n", false],
    ["~", null],
    ["0777", 511],
    ["0o777", 511],
    ["0b101", 5],
    ["0x1F", 31],
    ["-0x1F", -31],
    ["08", 8],
    ["1_000", 1000],
    ["1e3", 1000],
    ["+1.5", 1.5],
    [".5", 0.5],
    ["12:30:45", "12:30:45"],
    ["2026-01-02", "2026-01-02"],
    ["9007199254740993", 9007199254740993n],
    ["-9223372036854775808", -9223372036854775808n],
    ["123456789012345678901234567890", 123456789012345678901234567890],
    ["1.2.3", "1.2.3"],
    ["-", "-"],
    ["'on'", "on"],
    ["!!str 5", "5"],
    ["!!binary aGk=", "hi"],
  ];
  for (const [text, value] of scalars)
    assert.deepEqual(one(text === "-" ? "'-'" : `v: ${text}`), text === "-" ? "-" : { v: value }, text);
});

test("a block that the end of the text cuts off has no last line break, as in Go's reader", () => {
  const read = (text: string) => readYaml(text, { file: "f" })[0]?.value;
  assert.deepEqual(read("a: |\n  x\n  y"), { a: "x\ny" });
  assert.deepEqual(read("a: >\n  x\n  y"), { a: "x y" });
  assert.deepEqual(read("a: |\n  x\n"), { a: "x\n" });
  assert.deepEqual(read("a: |\n  x\n# end"), { a: "x\n" });
});

test("merge keys keep what is written and take the rest", () => {
  assert.deepEqual(one("a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  x: 9\n".replace("y: 2", "z: 2")), {
    a: { x: 1, z: 2 },
    b: { x: 9, z: 2 },
  });
});

test("every refusal names file, line and column, and what to do", () => {
  const cases: [string, RegExp, number, number][] = [
    ["a:\n\tb: 1", /tab/, 2, 1],
    ["a: x\u0000", /null byte/, 1, 5],
    ["a: 1\nb: 2\na: 3", /"a" stands twice/, 3, 1],
    ["spec:\n  on: 1", /bare key on reads as true/, 2, 3],
    ["a: *none", /no anchor/, 1, 5],
    ["a: &a [*a]", /own anchor/, 1, 9],
    ["a: .inf", /infinity/, 1, 4],
    ["a: !!int x", /no int/, 1, 10],
    ["a: !own x", /tag !own/, 1, 9],
    ["? [a]\n: 1", /map or list/, 1, 3],
    ["~: 1", /null/, 1, 1],
  ];
  for (const [text, message, line, column] of cases) {
    const fault = refusal(text);
    assert.equal(fault.code, "bad-yaml");
    assert.match(fault.message, message);
    assert.deepEqual([fault.where.file, fault.where.line, fault.where.column], ["app.yaml", line, column], text);
    assert(fault.next);
  }
});

test("a byte order mark and CRLF change nothing", () => {
  assert.deepEqual(one("\ufeffa: 1\r\nb: |\r\n  x\r\n"), { a: 1, b: "x\n" });
});

test("the argo rules take boolean and repeated keys as sigs.k8s.io/yaml does", () => {
  const [document] = readYaml("y: 1\na: 1\na: 2\n012: z", { ...options, keys: "argo" });
  assert.deepEqual(document?.value, { true: 1, a: 2, "10": "z" });
});

test("bombs are refused with a name", () => {
  const laughs = ["a0: &a0 [x,x,x,x,x,x,x,x,x]"];
  for (let i = 1; i < 9; i++)
    laughs.push(
      `a${i}: &a${i} [${Array(9)
        .fill(`*a${i - 1}`)
        .join(",")}]`,
    );
  assert.match(refusal(laughs.join("\n")).message, /aliases|written out/);
  assert.match(refusal(`${"[".repeat(20_000)}`).message, /nested too deeply/);
  assert.match(refusal("a".repeat(2_000_000)).message, /characters/);
  assert.match(refusal("---\na: 1\n".repeat(6_000)).message, /documents/);
  const keys = Array.from({ length: 10_001 }, (_, i) => `k${i}: 1`).join("\n");
  assert.match(refusal(keys).message, /keys/);
  const text = `a: &a ${"x".repeat(500_000)}\nb: [${Array(90).fill("*a").join(",")}]`;
  assert.match(refusal(text).message, /written out/);
});

test("one bad document does not lose its neighbours", () => {
  const parts = readYamlParts("a: 1\n---\nb: [\n---\n# only a comment\n---\nc:\n  d: 3\n", options);
  assert.equal(parts.length, 3);
  const [first, second, third] = parts;
  assert(first !== undefined && "value" in first && third !== undefined && "value" in third);
  assert(second instanceof Fault);
  assert.deepEqual(first.value, { a: 1 });
  assert.deepEqual([third.value, third.line, third.placeOf(["c", "d"])], [{ c: { d: 3 } }, 7, { line: 8, column: 3 }]);
});

test("__proto__ is a key like any other", () => {
  const value = one('{"__proto__": {"x": 1}}');
  assert.equal(canonicalJson(value ?? null), '{"__proto__":{"x":1}}');
  assert.equal(({} as Record<string, unknown>)["x"], undefined);
});

test("canonical JSON sorts by code unit and prints bigints whole", () => {
  assert.equal(
    canonicalJson({ b: [1, 9007199254740993n, null], a: { é: "x\n", z: true }, A: {} }),
    '{"A":{},"a":{"z":true,"é":"x\\n"},"b":[1,9007199254740993,null]}',
  );
});

test("written YAML reads back the same", () => {
  const value = {
    a: 12345678901234567890n,
    b: "on",
    c: "x\ny\n",
    d: [{ a: 1, b: [] }],
    e: "0777",
    f: "",
    g: {},
    h: -1.5,
  };
  assert.deepEqual(one(toYaml(value)), value);
});
