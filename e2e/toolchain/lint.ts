import process from "node:process";
import { inspect, violationText } from "../walls/inspect.ts";
import { breakingVerdict, freshVerdict } from "./contract.ts";
import { check, root, type Verdict } from "./program.ts";

/** One wall of the lint: its name, and what tells whether it holds. */
interface Wall {
  readonly name: string;
  readonly look: () => Promise<Verdict>;
}

const oxlintFlags = ["--type-aware", "--deny-warnings", "--report-unused-disable-directives", "--format=unix", "."];

const walls: readonly Wall[] = [
  { name: "types", look: () => check("tsc", ["-p", "."]) },
  { name: "format", look: () => check("biome", ["check", "."]) },
  {
    name: "promises, switches, any",
    look: () => check("oxlint", oxlintFlags),
  },
  { name: "rooms", look: rooms },
  { name: "dead code", look: () => check("knip", ["--no-progress"]) },
  { name: "contract: lint", look: () => check("buf", ["lint", "proto"]) },
  { name: "contract: breaking", look: breakingVerdict },
  { name: "contract: generated code", look: freshVerdict },
];

/** `npm run lint`: all walls, each told in one line, breaches in full. `npm run lint -- rooms` looks at one. */
export async function lint(args: readonly string[]): Promise<number> {
  let failed = 0;
  for (const wall of walls.filter(({ name }) => args.length === 0 || args.includes(name))) {
    const start = performance.now();
    const { code, output } = await wall.look();
    const took = `${((performance.now() - start) / 1_000).toFixed(1)} s`;
    process.stdout.write(`${code === 0 ? "ok  " : "FAIL"}  ${wall.name}  ${took}\n`);
    if (code === 0) continue;
    failed += 1;
    process.stdout.write(`${output.trimEnd()}\n\n`);
  }
  if (failed > 0) process.stdout.write(`${failed} of the walls in CONTRIBUTING.md do not hold\n`);
  return failed === 0 ? 0 : 1;
}

/** `npm run format`: writes what the format wall asks. */
export async function format(args: readonly string[]): Promise<number> {
  return told(await check("biome", ["check", "--write", ...(args.length === 0 ? ["."] : args)]));
}

/** `npm run generate`: TypeScript from the schema, into proto/src/gen. */
export async function generate(): Promise<number> {
  return told(await check("buf", ["generate", "proto", "--template", "proto/buf.gen.yaml", "--output", "proto"]));
}

function told({ code, output }: Verdict): number {
  process.stdout.write(output);
  return code;
}

async function rooms(): Promise<Verdict> {
  const violations = inspect(root);
  return { code: violations.length === 0 ? 0 : 1, output: violations.map(violationText).join("\n") };
}
