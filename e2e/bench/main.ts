import process from "node:process";
import { build } from "../toolchain/build.ts";
import { ensureTools } from "../toolchain/tools.ts";
import type { Bench } from "./bench.ts";
import { conditionsHere, jsonLine, table } from "./report.ts";

/** All benches; one line for each, so that a file that is not listed is seen to be dead. */
const benches: Readonly<Record<string, () => Promise<{ readonly bench: Bench }>>> = {
  floor: () => import("./floor.ts"),
  "fan-out": () => import("./fan-out.ts"),
  "one-of-many": () => import("./one-of-many.ts"),
  restart: () => import("./restart.ts"),
  status: () => import("./status.ts"),
  "hub-size": () => import("./hub-size.ts"),
  generate: () => import("./generate.ts"),
  helm: () => import("./helm.ts"),
  "push-to-applied": () => import("./push-to-applied.ts"),
  "agent-rss": () => import("./agent-rss.ts"),
  "apply-1000": () => import("./apply-1000.ts"),
  "reapply-1000": () => import("./reapply-1000.ts"),
  idle: () => import("./idle.ts"),
  drift: () => import("./drift.ts"),
  noise: () => import("./noise.ts"),
  plan: () => import("./plan.ts"),
  "rollout-100": () => import("./rollout-100.ts"),
  "rollback-1000": () => import("./rollback-1000.ts"),
  "restart-mid": () => import("./restart-mid.ts"),
};
const exitCodes = { met: 0, notMet: 1, failed: 2, usage: 64 } as const;

/** `npm run bench` lists; `npm run bench -- NAME [--json] [--quick]` runs one. Exit code 1 when a bar is not met. */
async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const [name, ...rest] = args.filter((arg) => !arg.startsWith("-"));
  const unknown = flags.find((flag) => !["--json", "--quick"].includes(flag)) ?? rest[0];
  if (unknown !== undefined) return usage(`expected NAME [--json] [--quick], found ${unknown}`);
  if (name === undefined) return list();
  const load = benches[name];
  if (load === undefined) return usage(`there is no bench ${name}; there are ${Object.keys(benches).join(", ")}`);
  return runOne(name, (await load()).bench, { json: flags.includes("--json"), quick: flags.includes("--quick") });
}

interface Asked {
  readonly json: boolean;
  readonly quick: boolean;
}

async function runOne(name: string, bench: Bench, { json, quick }: Asked): Promise<number> {
  const interrupted = new AbortController();
  process.once("SIGINT", () => interrupted.abort(new Error("interrupted")));
  const tools = await ensureTools();
  const say = (text: string) => process.stderr.write(`${text}\n`);
  if (bench.built === true) await build();
  const bars = await bench.run({ tools, signal: interrupted.signal, quick, say });
  const missing = tools.missing.some((one) => one.name === "natsServer");
  const conditions = await conditionsHere(missing ? undefined : tools.natsServer);
  process.stdout.write(`${table(name, bars, conditions)}\n`);
  if (json) process.stdout.write(`${jsonLine(name, bars, conditions)}\n`);
  return bars.every((bar) => bar.met) ? exitCodes.met : exitCodes.notMet;
}

async function list(): Promise<number> {
  for (const [name, load] of Object.entries(benches)) {
    process.stdout.write(`${name.padEnd(18)}${(await load()).bench.summary}\n`);
  }
  return exitCodes.met;
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
