import { basename } from "node:path";
import process from "node:process";
import { build } from "./build.ts";
import { format, generate, lint } from "./lint.ts";
import { runProgram } from "./program.ts";
import { runTests } from "./tests.ts";

/** The scripts of package.json, which all come through bootstrap.mjs. Each gives the exit code. */
const tasks: Readonly<Record<string, (args: readonly string[]) => Promise<number>>> = {
  start: (args) => runProgram("e2e/playground/main.ts", args),
  bench: (args) => runProgram("e2e/bench/main.ts", args),
  conformance: (args) => runProgram("hub/src/testing/conformance/main.ts", args),
  test: (args) => runTests({ rooms: "all", args }),
  "test:unit": (args) => runTests({ rooms: "unit", args }),
  "test:e2e": (args) => runTests({ rooms: "e2e", args }),
  "test:full": (args) => runTests({ rooms: "all", args, full: true }),
  lint,
  format,
  generate,
  build,
};

const [name, ...args] = process.argv.slice(2);
const task = tasks[name ?? ""];
if (task === undefined) {
  process.stderr.write(`${basename(import.meta.filename)}: expected one of ${Object.keys(tasks).join(", ")}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await task(args);
}
