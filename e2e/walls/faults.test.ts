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
  assert.deepEqual([...explained].sort(), Object.keys(faultTable).sort());
  assert.equal(new Set(explained).size, explained.length, "each code has one line");
});
