import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { faultTable } from "@capstan/proto";
import { root } from "../toolchain/program.ts";

test("docs/faults.md explains every fault code and no other", async () => {
  const page = await readFile(join(root, "docs/faults.md"), "utf8");
  const rows = [...page.matchAll(/^\| `([a-z-]+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)];
  const explained = rows.map(([, code]) => code);
  const codes = Object.keys(faultTable);
  assert.deepEqual(
    codes.filter((code) => !explained.includes(code)),
    [],
    "codes without a line in docs/faults.md",
  );
  assert.deepEqual(
    explained.filter((code) => !codes.includes(code ?? "")),
    [],
    "lines in docs/faults.md without a code",
  );
  assert.equal(new Set(explained).size, explained.length, "each code has one line");
});
