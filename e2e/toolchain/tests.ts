import { globSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join, resolve } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { programName, toolNames } from "./environment.ts";
import { check, root } from "./program.ts";
import { ensureTools, type Tools } from "./tools.ts";

/** Which tests to run. `args` are the person's own: files to run instead of all, and `--name=PATTERN`. */
export interface TestRun {
  readonly rooms: "all" | "unit" | "e2e";
  readonly args: readonly string[];
  readonly full?: boolean;
}

const unitFiles = [
  "{proto,hub,agent}/{src,test}/**/*.test.ts",
  "e2e/{toolchain,walls,world,playground,bench}/**/*.test.ts",
];
const e2eFiles = ["e2e/**/*.test.ts"];
const minute = 60_000;
/** Tests wait so many times longer before they give up than they would on a quick, idle machine. */
const patienceFactor = "4";

/** What the runner reports, as far as it is looked at here. */
interface TestEvent {
  readonly type: string;
  readonly data: { readonly nesting?: number; readonly message?: string };
}

/** One batch of files with its own limits; batches run one after the other under one reporter. */
interface Batch {
  readonly files: string[];
  readonly isolation: "process" | "none";
  readonly concurrency: number;
  readonly timeout: number;
}

/** Type check, outside programs, unit tests, scenarios, and one summary of all. Gives the exit code. */
export async function runTests(options: TestRun): Promise<number> {
  if (options.full === true) process.env["CAPSTAN_FULL"] = "1";
  process.env["CAPSTAN_PATIENCE"] ??= patienceFactor;
  if (options.rooms === "all" && !(await typesHold())) return 1;
  const tools = await (options.rooms === "unit" ? ensureTools([], { ifPresent: toolNames }) : ensureTools());
  if (options.rooms !== "unit") tellMissing(tools);
  hand(tools);
  const batches = chooseBatches(options);
  if (batches.length === 0) {
    process.stderr.write("capstan: there are no such test files\n");
    return options.args.length === 0 ? 0 : 1;
  }
  return runBatches(batches, patternOf(options.args));
}

async function typesHold(): Promise<boolean> {
  const { code, output } = await check("tsc", ["-p", "."]);
  if (code !== 0) process.stderr.write(`${output}capstan: the type check failed; no test was run\n`);
  return code === 0;
}

function tellMissing(tools: Tools): void {
  for (const { name, reason } of tools.missing) {
    process.stderr.write(`capstan: ${programName[name]} is missing, what needs it is skipped: ${reason}\n`);
  }
}

/** Test processes find the programs by variable, and the code under test finds helm and kubectl on PATH as in life. */
function hand(tools: Tools): void {
  const lacks = new Set(tools.missing.map((one) => one.name));
  for (const name of toolNames) {
    const path = lacks.has(name) ? undefined : tools[name];
    if (path !== undefined) process.env[`CAPSTAN_${programName[name].toUpperCase().replaceAll("-", "_")}`] = path;
    if (path !== undefined && name === "kubeApiserver") process.env["KUBEBUILDER_ASSETS"] ??= dirname(path);
    if (path !== undefined && (name === "helm" || name === "jsonnet"))
      process.env["PATH"] = `${dirname(path)}:${process.env["PATH"] ?? ""}`;
  }
}

function chooseBatches({ rooms, args, full }: TestRun): Batch[] {
  const named = args.filter((one) => !one.startsWith("-")).map((one) => resolve(one));
  const chosen = (patterns: readonly string[]) => {
    const all = globSync(patterns, { cwd: root, exclude: ["**/node_modules/**"] }).sort();
    const paths = all.map((one) => join(root, one));
    return named.length === 0 ? paths : paths.filter((path) => named.some((one) => path.startsWith(one)));
  };
  const jobs = Math.max(1, Math.min(2, availableParallelism()));
  const fileBound = full === true ? 60 * minute : 15 * minute;
  // Alone, unit tests share one process, which is ten times as fast; in the whole run a test that leaks or exits must
  // not take others with it.
  const isolation = rooms === "unit" ? "none" : "process";
  const units = chosen(unitFiles);
  const scenarios = chosen(e2eFiles).filter((path) => !units.includes(path));
  // In one process the number would count tests, not files: those of one suite follow each other.
  const concurrency = isolation === "none" ? 1 : jobs;
  const unit: Batch = { files: units, isolation, concurrency, timeout: 5 * minute };
  const e2e: Batch = { files: scenarios, isolation: "process", concurrency: jobs, timeout: fileBound };
  const batches = [...(rooms === "e2e" ? [] : [unit]), ...(rooms === "unit" ? [] : [e2e])];
  return batches.filter((batch) => batch.files.length > 0);
}

function patternOf(args: readonly string[]): { testNamePatterns: string } | undefined {
  const flag = args.find((one) => one.startsWith("--name="));
  return flag === undefined ? undefined : { testNamePatterns: flag.slice("--name=".length) };
}

async function runBatches(batches: readonly Batch[], names: { testNamePatterns: string } | undefined): Promise<number> {
  const sums = new Map<string, number>();
  async function* events(): AsyncGenerator<TestEvent> {
    for (const batch of batches) {
      for await (const event of run({
        cwd: root,
        // A file is over when its tests are: a socket that one left open must not hold up the run for ever.
        ...(batch.isolation === "process" ? { execArgv: ["--test-force-exit"] } : {}),
        ...batch,
        ...names,
      }) as AsyncIterable<unknown> as AsyncIterable<TestEvent>) {
        const count = closingCount(event);
        if (count === undefined) yield event;
        else sums.set(count.name, (sums.get(count.name) ?? 0) + count.value);
      }
    }
    // Node's closing lines, of all batches together: people and CI read the totals there.
    for (const [name, value] of sums) {
      yield {
        type: "test:diagnostic",
        data: { nesting: 0, message: `${name} ${value}`, level: "info" } as TestEvent["data"],
      };
    }
  }
  const early = () => {
    process.stderr.write("capstan: a test ended the process before the run was over\n");
    process.exitCode = 1;
  };
  process.once("exit", early);
  await pipeline(Readable.from(events()), new spec(), process.stdout, { end: false });
  process.off("exit", early);
  const told = ["fail", "cancelled"].map((name) => sums.get(name) ?? 1);
  return told.every((count) => count === 0) ? 0 : 1;
}

function closingCount(event: TestEvent): { name: string; value: number } | undefined {
  if (event.type !== "test:diagnostic" || event.data.nesting !== 0) return undefined;
  const found = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) ([\d.]+)$/.exec(event.data.message ?? "");
  return found === null ? undefined : { name: found[1] ?? "", value: Number(found[2]) };
}
