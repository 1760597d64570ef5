import { type ChildProcess, execFile, spawn } from "node:child_process";
import { createWriteStream, readdirSync, readFileSync, type WriteStream } from "node:fs";
import type { TestContext } from "node:test";
import { generous } from "@capstan/proto/testing";
import { removeTempDirs, tempPrefix } from "./temp.ts";
import { notYet, until, within } from "./wait.ts";

/** What to start. */
export interface ChildInit {
  /** How logs and errors call it. */
  readonly name: string;
  /** Path of the program; it is not looked up anywhere. */
  readonly binary: string;
  readonly args: readonly string[];
  /** The whole environment of the child; nothing is inherited. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** File that receives everything it prints, appended. */
  readonly logFile?: string;
}

/** How a child ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What a child uses now, read from /proc; zeros where that is not there. */
export interface Usage {
  readonly rssBytes: number;
  /** The anonymous part of it: what is not file-backed. */
  readonly rssAnonBytes: number;
  /** User and system time since its start. */
  readonly cpuSeconds: number;
}

const tailLength = 64 * 1024;
const alive = new Set<Child>();
let guarded = false;

/** A running program with handles to signal, wait for and look at it. Disposing it ends it and its process group. */
export class Child implements AsyncDisposable {
  readonly name: string;
  readonly pid: number;
  /** Its own directory, where it was given one: what it leaves behind names it. */
  readonly cwd: string | undefined;
  /** Resolves when the program has ended, however it did. */
  readonly exited: Promise<Exit>;
  #process: ChildProcess;
  #log: WriteStream | undefined;
  #tail = "";
  #ended: Exit | undefined;

  private constructor(init: ChildInit, process: ChildProcess, pid: number) {
    this.name = init.name;
    this.pid = pid;
    this.cwd = init.cwd;
    this.#process = process;
    this.#log = init.logFile === undefined ? undefined : createWriteStream(init.logFile, { flags: "a" });
    const keep = (chunk: Buffer) => {
      this.#log?.write(chunk);
      this.#tail = (this.#tail + chunk.toString("utf8")).slice(-tailLength);
    };
    process.stdout?.on("data", keep);
    process.stderr?.on("data", keep);
    this.exited = new Promise((resolve) => {
      process.once("exit", (code, signal) => {
        this.#ended = { code, signal };
        alive.delete(this);
        resolve(this.#ended);
      });
      process.once("close", () => this.#log?.end());
    });
  }

  /** Starts it in a process group of its own. Throws when it cannot be started at all. */
  static async start(init: ChildInit): Promise<Child> {
    guard();
    const process = spawn(init.binary, init.args, {
      env: { ...init.env },
      detached: true,
      stdio: ["ignore", "pipe", "pipe"],
      ...(init.cwd === undefined ? {} : { cwd: init.cwd }),
    });
    await new Promise<void>((resolve, reject) => {
      process.once("spawn", resolve);
      process.once("error", (cause) => reject(new Error(`cannot start ${init.name} (${init.binary})`, { cause })));
    });
    if (process.pid === undefined) throw new Error(`cannot start ${init.name}: it got no process id`);
    const child = new Child(init, process, process.pid);
    alive.add(child);
    return child;
  }

  /** The last 64 KiB that it printed, both streams together. */
  get tail(): string {
    return this.#tail;
  }

  get running(): boolean {
    return this.#ended === undefined;
  }

  /** Waits until `look` holds; fails at once, with the log's tail, when the program ends before. */
  async ready<T>(what: string, look: (output: string) => T | Promise<T>, bound: number): Promise<void> {
    try {
      const ended = await until(
        `${this.name}: ${what}`,
        async () => {
          if (this.#ended !== undefined) return this.#ended;
          const seen = await look(this.#tail);
          return seen ? ("ready" as const) : notYet(seen);
        },
        bound,
      );
      if (ended !== "ready") throw new Error(`${this.name} ended (${exitText(ended)}) before: ${what}`);
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : String(error)}\n${this.#tail.slice(-4_000)}`, {
        cause: error,
      });
    }
  }

  /** Sends a signal to the program alone, SIGKILL by default, and waits for its end. */
  async kill(signal: NodeJS.Signals = "SIGKILL", bound = 15_000): Promise<Exit> {
    if (this.#ended === undefined) this.#process.kill(signal);
    return within(`the end of ${this.name} after ${signal}`, bound, this.exited);
  }

  /** Asks it to end; kills it when it has not within `bound` milliseconds. */
  async stop(bound = 10_000): Promise<Exit> {
    try {
      return await this.kill("SIGTERM", bound);
    } catch {
      return this.kill("SIGKILL");
    }
  }

  /** Sends a signal without waiting for anything. */
  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Stops it where it stands (SIGSTOP); its sockets stay open. */
  pause(): void {
    this.signal("SIGSTOP");
  }

  /** Lets a paused one go on. */
  resume(): void {
    this.signal("SIGCONT");
  }

  usage(): Usage {
    return usageOf(this.pid);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    endGroup(this.pid);
    await within(`the end of ${this.name}`, 15_000, this.exited);
    endGroup(this.pid);
    // What it started apart may hold the other ends, and would keep this process alive as long as it lives.
    this.#process.stdout?.destroy();
    this.#process.stderr?.destroy();
  }
}

/** Waits for a program that ends by itself. Resolves for every exit code; `output` is both streams together. */
export function run(init: ChildInit & { readonly input?: string; readonly bound?: number }): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const options = {
      env: { ...init.env },
      maxBuffer: 64 * 1024 * 1024,
      timeout: generous(init.bound ?? 60_000),
      ...(init.cwd === undefined ? {} : { cwd: init.cwd }),
    };
    const child = execFile(init.binary, [...init.args], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code;
      if (error !== null && typeof code !== "number") {
        reject(new Error(`${init.name}: ${error.message}\n${stderr}`, { cause: error }));
      } else {
        resolve({ code: typeof code === "number" ? code : 0, stdout, stderr });
      }
    });
    child.stdin?.on("error", () => undefined); // a program that does not read its input is no fault
    child.stdin?.end(init.input ?? "");
  });
}

/** What `run` resolves to. */
export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** As `run`, and throws with what the program printed when its exit code is not 0; else returns its standard output. */
export async function runOrThrow(init: Parameters<typeof run>[0]): Promise<string> {
  const result = await run(init);
  if (result.code !== 0) {
    throw new Error(`${init.name} ${init.args.join(" ")}: exit code ${result.code}\n${result.stderr}${result.stdout}`);
  }
  return result.stdout;
}

/** Resident memory and processor time of any process, from /proc; zeros where it is gone or /proc is not there. */
export function usageOf(pid: number): Usage {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    const ticks = Number(fields[11] ?? 0) + Number(fields[12] ?? 0);
    return { rssBytes: kib(status, "VmRSS"), rssAnonBytes: kib(status, "RssAnon"), cpuSeconds: ticks / 100 };
  } catch {
    return { rssBytes: 0, rssAnonBytes: 0, cpuSeconds: 0 };
  }
}

function kib(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
}

/**
 * Process ids whose command line names `text`: with the path of a test's own directory it finds what its programs
 * started and left running. Linux only; empty elsewhere.
 */
export function processesNaming(text: string): number[] {
  const found: number[] = [];
  for (const entry of listProc()) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(text)) found.push(pid);
    } catch {
      // it ended between the listing and the look
    }
  }
  return found;
}

/** Kills what `processesNaming` finds and waits until nothing is found. `directory` must be one that the test made. */
export async function endProcessesNaming(directory: string): Promise<void> {
  if (directory.length < 12) throw new Error(`refusing to end processes by so short a path: ${directory}`);
  await until(
    `the end of everything that names ${directory}`,
    () => {
      const left = processesNaming(directory);
      for (const pid of left) signalQuietly(pid, "SIGKILL");
      return left.length === 0 || notYet(left);
    },
    10_000,
  );
}

/** Prints the log tails of these children when the test has failed. */
export function showLogsOnFailure(test: TestContext, children: () => Iterable<Child>): void {
  test.after(() => {
    if (Reflect.get(test, "passed") === true) return; // not in the type declarations yet
    for (const child of children())
      test.diagnostic(`${child.name} (${child.pid}) printed:\n${child.tail.slice(-6_000)}`);
  });
}

/** An exit as people read it. */
export function exitText(exit: Exit): string {
  return exit.signal === null ? `exit code ${exit.code}` : `signal ${exit.signal}`;
}

function listProc(): string[] {
  try {
    return readdirSync("/proc");
  } catch {
    return [];
  }
}

function endGroup(pid: number): void {
  signalQuietly(-pid, "SIGKILL");
}

function signalQuietly(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // nobody is left to be told
  }
}

/** Whatever ends this process ends its children: a test run that is interrupted leaves nothing behind. */
function guard(): void {
  if (guarded) return;
  guarded = true;
  const endAll = () => {
    for (const { pid, cwd } of alive) {
      endGroup(pid);
      if (cwd?.startsWith(tempPrefix) === true) for (const left of processesNaming(cwd)) signalQuietly(left, "SIGKILL");
    }
  };
  process.once("exit", endAll);
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    const onSignal = () => {
      if (process.listenerCount(signal) > 1) return; // somebody else decides what the signal means
      endAll();
      removeTempDirs();
      process.removeListener(signal, onSignal);
      process.kill(process.pid, signal);
    };
    process.on(signal, onSignal);
  }
}
