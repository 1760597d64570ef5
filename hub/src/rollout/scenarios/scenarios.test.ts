import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { Script } from "../testing/script.ts";

// Each file is a story: a command, `----`, what happened, an empty line. `#` starts a comment.
// UPDATE_GOLDEN=1 writes what happens now; review the difference as you would review code.
const here = import.meta.dirname;

for (const file of readdirSync(here).filter((name) => name.endsWith(".txt"))) {
  test(file.replace(".txt", "").replaceAll("-", " "), () => {
    const path = `${here}/${file}`;
    const told = readFileSync(path, "utf8");
    const now = replay(told);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(path, now);
    else assert.equal(now, told);
  });
}

function replay(text: string): string {
  const script = new Script();
  const out: string[] = [];
  for (const block of text.trimEnd().split(/\n\n+/)) {
    const lines = block.split("\n");
    const end = lines.indexOf("----");
    const commands = end < 0 ? lines : lines.slice(0, end);
    const answers = commands.filter((line) => !line.startsWith("#")).map((line) => script.run(line));
    const told = answers.filter((answer) => answer !== "ok");
    out.push(
      [...commands, ...(answers.length === 0 ? [] : ["----", told.length === 0 ? "ok" : told.join("\n")])].join("\n"),
    );
  }
  return `${out.join("\n\n")}\n`;
}
