import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { TemplateEngine } from "../../template/engine.ts";
import { report, runPairs } from "./run.ts";

/** The pairs that the project keeps. */
const own = ["template.jsonl", "appset.jsonl", "more.jsonl"].map((name) => join(import.meta.dirname, name));

/** `npm run conformance -- [FILE.jsonl …]`: exit code 1 where a pair fails, 2 where a file cannot be read. */
function main(args: readonly string[]): number {
  const paths = args.length === 0 ? own : args;
  try {
    const files = paths.map((path) => ({ name: path, text: readFileSync(path, "utf8") }));
    const { text, failed } = report(runPairs(new TemplateEngine(), files));
    process.stdout.write(text);
    return failed === 0 ? 0 : 1;
  } catch (thrown) {
    process.stderr.write(`conformance: ${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    return 2;
  }
}

process.exitCode = main(process.argv.slice(2));
