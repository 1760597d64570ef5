import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { codedKinds, tableRows } from "./registry.ts";
import { clausesOf } from "./rule.ts";

const page = await readFile(new URL("../../../docs/health.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| (?:`([^`]+)`|core) \| (.+?) \| (.+) \| .+ \|$/gm)].map(
  ([, group = "", kinds = "", rule = ""]) => ({
    group,
    kinds: kinds.replaceAll("\\", ""),
    rule,
  }),
);

test("docs/health.md has each rule of the tables as the program has it, and no other", () => {
  const wanted = tableRows().map(({ group, kinds, rule }) => {
    const text = clausesOf(rule).map((clause) => `\`${clause.replaceAll("|", "\\|")}\``);
    return `${group} ${kinds.join(", ")}: ${text.join("<br>")}`;
  });
  const table = page.slice(page.indexOf("## The table"));
  const told = rows
    .filter(({ rule }) => table.includes(rule))
    .map(({ group, kinds, rule }) => `${group} ${kinds}: ${rule}`);
  assert.deepEqual(told.toSorted(), wanted.toSorted());
});

test("docs/health.md names each kind that is read in code", () => {
  const told = new Set(rows.map(({ group, kinds }) => `${group}/${kinds}`));
  const missing = codedKinds.filter((name) => !told.has(name) && !name.startsWith("extensions/"));
  assert.deepEqual(missing, []);
});
