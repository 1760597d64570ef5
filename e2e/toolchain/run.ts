import { spawn } from "node:child_process";

/** What to run: program, arguments, and where. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a program to its end and gives its stdout; rejects with the last lines of its stderr when it fails. */
export function run(command: Command): Promise<string> {
  return new Promise((resolve, reject) => {
    const { program, args, ...place } = command;
    const child = spawn(program, [...args], { ...place, stdio: ["ignore", "pipe", "pipe"] });
    const out: Buffer[] = [];
    let complaint = "";
    child.stdout.on("data", (chunk: Buffer) => out.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => {
      complaint = (complaint + chunk.toString()).slice(-2_000);
    });
    child.on("error", (error) => reject(new Error(`${program} does not start: ${error.message}`)));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(Buffer.concat(out).toString());
      else reject(new Error(`${program} ${args[0] ?? ""} failed (${signal ?? code}): ${complaint.trim()}`));
    });
  });
}
