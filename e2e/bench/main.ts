import { globSync } from "node:fs";
import { basename } from "node:path";
import process from "node:process";
import { ensureTools } from "../toolchain/tools.ts";
import type { Bench } from "./bench.ts";
import { conditionsHere, jsonLine, table } from "./report.ts";

const notBenches = new Set(["main", "bench", "report"]);
const exitCodes = { met: 0, notMet: 1, failed: 2, usage: 64 } as const;

/** `npm run bench` lists; `npm run bench -- NAME [--json]` runs one. Exit code 1 when a bar is not met. */
async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const [name, ...rest] = args.filter((arg) => !arg.startsWith("-"));
  const unknown = flags.find((flag) => flag !== "--json") ?? rest[0];
  if (unknown !== undefined) return usage(`expected NAME [--json], found ${unknown}`);
  if (name === undefined) return list();
  if (!names().includes(name)) return usage(`there is no bench ${name}; there are ${names().join(", ")}`);
  return runOne(name, flags.includes("--json"));
}

async function runOne(name: string, json: boolean): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const tools = await ensureTools();
  const say = (text: string) => process.stderr.write(`${text}\n`);
  const bench = await load(name);
  const bars = await bench.run({ tools, signal: interrupted.signal, say });
  const missing = tools.missing.some((one) => one.name === "natsServer");
  const conditions = await conditionsHere(missing ? undefined : tools.natsServer);
  process.stdout.write(`${table(name, bars, conditions)}\n`);
  if (json) process.stdout.write(`${jsonLine(name, bars, conditions)}\n`);
  return bars.every((bar) => bar.met) ? exitCodes.met : exitCodes.notMet;
}

async function list(): Promise<number> {
  for (const name of names()) process.stdout.write(`${name.padEnd(18)}${(await load(name)).summary}\n`);
  return exitCodes.met;
}

function names(): string[] {
  return globSync("*.ts", { cwd: import.meta.dirname })
    .map((file) => basename(file, ".ts"))
    .filter((name) => !notBenches.has(name) && !name.endsWith(".test"))
    .sort();
}

async function load(name: string): Promise<Bench> {
  const loaded = (await import(`./${name}.ts`)) as { readonly bench?: Bench };
  if (loaded.bench === undefined) throw new Error(`e2e/bench/${name}.ts exports no bench`);
  return loaded.bench;
}

function usage(text: string): number {
  process.stderr.write(`bench: ${text}\n`);
  return exitCodes.usage;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = exitCodes.failed;
}
