import assert from "node:assert/strict";
import { test } from "node:test";
import { Fault } from "@capstan/proto";
import { textOf } from "./text.ts";

test("text is read without its byte order mark, and whatever it says in UTF-8", () => {
  const bytes = new TextEncoder().encode("\uFEFFa: ü \uFFFD\n");
  assert.equal(textOf(bytes, {}), "a: ü \uFFFD\n");
});

test("bytes that are no UTF-8 are refused with their line, never replaced", () => {
  const bytes = Uint8Array.from([0x61, 0x0a, 0x0a, 0x62, 0xff, 0x0a]);
  const refused = (thrown: unknown) => {
    const fault = Fault.from(thrown);
    assert.deepEqual([fault.code, fault.where.file, fault.where.line], ["bad-yaml", "web/a.yaml", 3]);
    return true;
  };
  assert.throws(() => textOf(bytes, { file: "web/a.yaml" }), refused);
});
