import { spawn } from "node:child_process";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

/** Root of the checkout. */
export const root = dirname(dirname(import.meta.dirname));

/** Runs a program of this repository in this process, as if it had been started by itself. */
export async function runProgram(file: string, args: readonly string[]): Promise<number> {
  const path = join(root, file);
  process.argv = [process.execPath, path, ...args];
  await import(pathToFileURL(path).href);
  return Number(process.exitCode ?? 0);
}

/** What an outside check printed, and how it ended. */
export interface Verdict {
  readonly code: number;
  readonly output: string;
}

/** Runs a tool of node_modules/.bin (or of PATH), from the root unless told otherwise; never rejects. */
export function check(program: string, args: readonly string[], cwd = root): Promise<Verdict> {
  return new Promise((resolve) => {
    // The tools are scripts for the Node that runs this, and buf calls its plugin by name.
    const folders = [dirname(process.execPath), join(root, "node_modules", ".bin"), process.env["PATH"] ?? ""];
    const env = { ...process.env, PATH: folders.join(delimiter), NO_COLOR: "1" };
    const child = spawn(program, [...args], { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.on("error", (error) => resolve({ code: 127, output: `${program} does not start: ${error.message}\n` }));
    child.on("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
