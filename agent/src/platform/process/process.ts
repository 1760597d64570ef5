import { randomBytes } from "node:crypto";

/** What the process was started with. */
export function processInputs(): {
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
} {
  return { words: process.argv.slice(2), env: process.env };
}

/** A name of this start: 12 hex digits. */
export function newBootId(): string {
  return randomBytes(6).toString("hex");
}

/** Prints to the terminal. */
export const print = {
  out: (text: string) => process.stdout.write(text),
  err: (text: string) => process.stderr.write(text),
};

/** How long an orderly end may take, ms. */
const patience = 10_000;

/**
 * Runs the work with a signal that SIGTERM and SIGINT abort, and ends the process with the code that it returns. An end
 * that takes too long, and a second signal, are cut short.
 */
export async function runProcess(work: (signal: AbortSignal) => Promise<number>): Promise<void> {
  const life = new AbortController();
  const stop = (name: NodeJS.Signals) => {
    if (life.signal.aborted) process.exit(1);
    setTimeout(() => process.exit(1), patience).unref();
    life.abort(new DOMException(`received ${name}`, "AbortError"));
  };
  process.on("SIGTERM", stop).on("SIGINT", stop);
  const code = await work(life.signal);
  process.exit(code);
}
