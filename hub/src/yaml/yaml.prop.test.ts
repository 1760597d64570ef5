import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import fc from "fast-check";
import { canonicalJson } from "./canonical.ts";
import type { Json } from "./json.ts";
import { readYaml, readYamlParts } from "./read.ts";
import { toYaml } from "./write.ts";

const value: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n }),
    fc.string(),
    fc.string({ unit: "grapheme" }),
    fc.constantFrom("on", "y", "0777", "1e3", "~", "null", "2026-01-02", "a: b", "- x", "{{ .a }}", "<<"),
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(fc.string(), tie("value"), { maxKeys: 4, noNullPrototype: true }),
  ),
})).value;

test("canonical JSON is valid YAML and reads back as the same canonical JSON", () => {
  fc.assert(
    fc.property(value, (json) => {
      const text = canonicalJson(json);
      assert.equal(canonicalJson(readYaml(text, { file: "f" })[0]?.value ?? null), text);
    }),
  );
});

test("YAML for people reads back as the same value", () => {
  fc.assert(
    fc.property(value, (json) => {
      assert.equal(canonicalJson(readYaml(toYaml(json), { file: "f" })[0]?.value ?? null), canonicalJson(json));
    }),
  );
});

test("any text is read or refused, never a crash", () => {
  const pieces = fc.constantFrom(
    "a",
    ":",
    " ",
    "\n",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "*a",
    "&a",
    "---\n",
    "|",
    ">",
    "'",
    '"',
    "\t",
    "!!",
    "<<",
    "? ",
    "#",
    "%",
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      for (const part of readYamlParts(parts.join(""), { file: "f" })) {
        assert(part instanceof Fault ? part.code === "bad-yaml" && part.where.line !== undefined : part.line >= 1);
      }
    }),
    { numRuns: 1000 },
  );
});
