import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { root } from "../toolchain/program.ts";
import { Child, endProcessesNaming, processesNaming, run, showLogsOnFailure } from "../world/process.ts";
import { TempDir } from "../world/temp.ts";
import { notYet, until, within } from "../world/wait.ts";

/** Somebody who has started the playground and does what it says, line by line, in a second terminal. */
export class Visitor implements AsyncDisposable {
  /** All lines before the fleet is shown. */
  readonly intro: readonly string[];
  readonly #child: Child;
  readonly #dir: TempDir;

  private constructor(child: Child, dir: TempDir) {
    this.#child = child;
    this.#dir = dir;
    this.intro = child.tail.slice(0, child.tail.indexOf("Ctrl-C here")).split("\n");
  }

  /** Starts it and waits until it says that it is ready. All that it makes stands in a folder of its own. */
  static async start(context: TestContext, args: readonly string[] = []): Promise<Visitor> {
    const dir = await TempDir.make("playground");
    const env = { ...shellEnv(), TMPDIR: dir.path };
    const main = join(root, "e2e/playground/main.ts");
    const child = await Child.start({ name: "playground", binary: process.execPath, args: [main, ...args], env });
    showLogsOnFailure(context, () => [child]);
    try {
      await child.ready("it says that it is ready", (output) => /^ready after/m.test(output), 60_000);
      return new Visitor(child, dir);
    } catch (error) {
      await new Visitor(child, dir)[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The line that is shown for a thing to try. */
  said(title: string): string {
    const line = this.intro.find((one) => one.startsWith(`  ${title}`));
    assert.ok(line !== undefined, `the line ${title} in:\n${this.intro.join("\n")}`);
    return line.slice(title.length + 2).trim();
  }

  /** Runs a line in a shell that was prepared as it says, and gives what it printed; it must end well. */
  async types(line: string): Promise<string> {
    const script = `export ${this.said("export ")}\n${line}`;
    const { code, stdout, stderr } = await run({ name: "bash", binary: "bash", args: ["-c", script], env: shellEnv() });
    assert.equal(code, 0, `${line}\n${stderr}${stdout}`);
    return stdout;
  }

  /** Ctrl-C: it must end well and leave nothing. */
  async leaves(): Promise<void> {
    this.#child.signal("SIGINT");
    const exit = await within("the end of the playground", 30_000, this.#child.exited);
    assert.deepEqual(exit, { code: 0, signal: null });
    const left = () => processesNaming(this.#dir.path);
    await until("no process of it", () => left().length === 0 || notYet(left()), 5_000);
    assert.deepEqual(await readdir(this.#dir.path), []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
    // What it started runs in groups of its own, and is left where it could not end by itself.
    await endProcessesNaming(this.#dir.path);
    await this.#dir[Symbol.asyncDispose]();
  }
}

/** What a person's shell has. */
function shellEnv(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  const own = Object.entries(process.env).filter(([name]) => /^CAPSTAN_|^KUBEBUILDER|^XDG/.test(name));
  return { PATH, HOME, ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ""])) };
}
