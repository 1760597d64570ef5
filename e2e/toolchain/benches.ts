import { globSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { root, runProgram } from "./program.ts";

/** Without a name, the bench program lists its benches itself; without the program there are none to list. */
export async function benches(): Promise<number> {
  const files = globSync("e2e/bench/main.ts", { cwd: root });
  if (files.length > 0) return runProgram("e2e/bench/main.ts", []);
  process.stdout.write(`${basename(root)} has no benches yet\n`);
  return 0;
}
