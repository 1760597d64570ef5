import { join } from "node:path";
import { root } from "../toolchain/program.ts";

/** How one of the two products is started: a program and its first arguments. */
export interface Command {
  readonly binary: string;
  readonly args: readonly string[];
}

/** Sources run as they are; `built` is what `npm run build` made, which benches and memory tests use. */
export type Form = "source" | "built";

/** `capstan`: `hub serve` and the command line. */
export function capstan(form: Form = "source"): Command {
  return form === "source"
    ? { binary: process.execPath, args: [join(root, "hub/src/main.ts")] }
    : { binary: join(root, "dist/capstan"), args: [] };
}

/** `capstan-agent`. */
export function capstanAgent(form: Form = "source"): Command {
  return form === "source"
    ? { binary: process.execPath, args: [join(root, "agent/src/main.ts")] }
    : { binary: join(root, "dist/capstan-agent"), args: [] };
}

/** The environment of the products in tests: a home of their own, and nothing of the person's. */
export function productEnv(home: string): Record<string, string> {
  return { HOME: home, PATH: `${join(process.execPath, "..")}:/usr/local/bin:/usr/bin:/bin`, NO_COLOR: "1" };
}
