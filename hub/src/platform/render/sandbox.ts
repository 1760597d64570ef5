import { chmod, copyFile, mkdir, open, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Fault } from "@capstan/proto";
import type { JobFiles } from "../../render/port.ts";
import { type Command, type Confinement, confine, jobFolders, type ProcessLimits } from "./confine.ts";
import { findOnPath } from "./find.ts";
import { Slots } from "./slots.ts";
import type { Ended, Runner, Scene } from "./spawner.ts";

/** What a sandbox is made of. */
export interface SandboxOptions {
  /** Jobs live and die in it. Made where absent, and emptied at the start. */
  readonly directory: string;
  /** Name → absolute path. Statically linked, as Helm and kubectl are released. */
  readonly tools: Readonly<Record<string, string>>;
  /** Where `prlimit`, `unshare`, `mount` and `sh` are found. */
  readonly path: string;
  readonly limits: ProcessLimits;
  readonly processes: number;
  readonly clock: Clock;
  readonly runner: Runner;
  /** What to try, in order; for tests. */
  readonly confinements?: readonly Confinement[];
}

/** One run of a tool. */
export interface ToolRun {
  readonly tool: string;
  readonly args: readonly string[];
  readonly files: JobFiles;
}

/**
 * A bounded pool in which outside tools run: each run in a fresh directory that is the whole of its world, without
 * network, rights, secrets or environment, and killed with all its children when it passes a limit.
 * What is kept warm is what costs: the tools' pages and the place for them; namespaces take the kernel 3 ms.
 */
export class Sandbox {
  readonly #options: SandboxOptions;
  readonly #slots: Slots;
  #how: Confinement | undefined;
  #why = "";
  #prlimit: string | undefined;
  #jobs = 0;

  private constructor(options: SandboxOptions) {
    this.#options = options;
    this.#slots = new Slots(options.processes);
  }

  /** Lays out the pool and finds the strongest confinement that works here. Throws `tool-missing`. */
  static async open(options: SandboxOptions, signal: AbortSignal): Promise<Sandbox> {
    const sandbox = new Sandbox({ ...options, directory: await prepared(options.directory) });
    for (const [name, path] of Object.entries(options.tools)) await sandbox.#place(name, path);
    sandbox.#prlimit = await findOnPath("prlimit", options.path);
    await sandbox.#probe(signal);
    return sandbox;
  }

  /** `kernel`: the kernel keeps network, files and environment away. `none`: it does not let us, and `reason` says why. */
  get isolation(): { readonly mode: "kernel" | "none"; readonly reason: string } {
    return { mode: this.#how === "none" ? "none" : "kernel", reason: this.#why };
  }

  /** Runs a tool and returns what it printed. `render-limit` names the limit; `render-failed` says what the tool said. */
  async run(run: ToolRun, signal: AbortSignal): Promise<string> {
    return await this.#slots.run(signal, () => this.#once(this.#how ?? "none", run, signal));
  }

  /** Takes in one more tool. Throws `tool-missing`, or `unsupported` for one that is not statically linked. */
  async add(name: string, path: string): Promise<void> {
    await this.#place(name, path);
  }

  get #tools(): string {
    return join(this.#options.directory, "tools");
  }

  async #place(name: string, path: string): Promise<void> {
    const place = join(this.#tools, name);
    try {
      const tool = await realpath(path);
      await requireStatic(tool);
      // A copy that nobody else can change, on the same file system as the jobs that link it.
      await copyFile(tool, place);
      await chmod(place, 0o555);
    } catch (cause) {
      throw Fault.from(cause, "tool-missing").code === "unsupported" ? cause : missing(name, path, cause);
    }
  }

  async #probe(signal: AbortSignal): Promise<void> {
    const root = process.getuid?.() === 0;
    const wanted = this.#options.confinements ?? (process.platform === "linux" ? [root ? "root" : "user", "user"] : []);
    const [tool] = Object.keys(this.#options.tools);
    for (const how of wanted) {
      try {
        await this.#once(how, { tool: tool ?? "", args: ["--help"], files: new Map() }, signal);
        this.#how = how;
        this.#why = "";
        return;
      } catch (thrown) {
        signal.throwIfAborted();
        this.#why = Fault.from(thrown).message;
      }
    }
    if (wanted.length === 0) this.#why = "only Linux can shut a process in.";
    this.#how = "none";
  }

  async #once(how: Confinement, run: ToolRun, signal: AbortSignal): Promise<string> {
    this.#jobs += 1;
    const root = join(this.#options.directory, "jobs", `job-${this.#jobs}`);
    const { path, limits } = this.#options;
    const job = { ...run, limits, root, toolsDirectory: this.#tools, prlimit: this.#prlimit };
    return await this.#start({ ...confine(how, job, path), scene: this.#scene(root, how, run) }, run.tool, signal);
  }

  #scene(root: string, how: Confinement, run: ToolRun): Scene {
    const place = (name: string) => join(root, name);
    const [work, tools] = [place(jobFolders.work), place(jobFolders.tools)];
    const folders = foldersOf([...run.files.keys()].map(checked)).map((folder) => join(work, folder));
    const files = [...run.files].map(([path, bytes]) => ({ path: join(work, path), bytes }));
    // In `root` the process is nobody and cannot write to what the link leads to; in `user` a read-only mount covers it.
    const links = how === "root" ? [{ path: join(tools, run.tool), to: join(this.#tools, run.tool) }] : [];
    return {
      root,
      folders: [
        ...[root, tools, work, ...folders].map((path) => ({ path, mode: 0o755 })),
        ...[jobFolders.home, jobFolders.temporary].map((name) => ({ path: place(name), mode: 0o1777 })),
      ],
      files,
      links,
    };
  }

  async #start(command: Command & { readonly scene: Scene }, tool: string, signal: AbortSignal): Promise<string> {
    const { clock, limits, runner } = this.#options;
    const late = new AbortController();
    const ended = new AbortController();
    const timer = clock.sleep(limits.timeMs, AbortSignal.any([ended.signal, signal])).then(
      () => late.abort(),
      () => undefined,
    );
    try {
      const request = { ...command, outputBytes: limits.outputBytes };
      return outputOf(tool, await runner.run(request, AbortSignal.any([signal, late.signal])), limits);
    } catch (thrown) {
      throw late.signal.aborted && !signal.aborted ? limit(tool, "time", `${limits.timeMs / 1000} s`) : thrown;
    } finally {
      ended.abort();
      await timer;
    }
  }
}

function outputOf(tool: string, ended: Ended, limits: ProcessLimits): string {
  const { code, signal, stderr, stdout, overflowed, error } = ended;
  if (error !== undefined) throw missing(tool, tool, error);
  if (overflowed) throw limit(tool, "output", `${limits.outputBytes} bytes`);
  if (code === 0) return new TextDecoder().decode(stdout);
  throw failure(tool, { said: new TextDecoder().decode(stderr), code, killedBy: signal }, limits);
}

interface Ending {
  readonly said: string;
  readonly code: number | null;
  readonly killedBy: string | null;
}

function failure(tool: string, { said, code, killedBy }: Ending, limits: ProcessLimits): Fault {
  if (/out of memory|cannot allocate memory|failed to reserve|failed to create new OS thread|newosproc/i.test(said)) {
    return limit(tool, "memory", `${limits.memoryBytes} bytes`);
  }
  // 128 + the number of the signal is how a shell, and `unshare`, pass it on.
  if (killedBy === "SIGXCPU" || code === 152) return limit(tool, "time", `${limits.timeMs / 1000} s`);
  if (killedBy === "SIGXFSZ" || code === 153 || /file too large/i.test(said)) {
    return limit(tool, "output", `${limits.outputBytes} bytes`);
  }
  if (killedBy === "SIGKILL" || code === 137) return limit(tool, "memory", "what the machine has left");
  if (/nested reference name|stack exceeds \d+-byte limit|exceeded maximum template depth/.test(said))
    return limit(tool, "recursion", "1,000 templates deep");
  const words = said.replace(/^\s*(level=WARN.*|WARNING: .*)\n/gm, "").trim();
  return new Fault("render-failed", {
    message: `${tool} failed: ${words === "" ? `exit code ${code ?? killedBy}` : shortened(words)}`,
    next: "Correct the files or values that it names, and push.",
  });
}

/** At most 1,500 characters, of both ends. */
function shortened(words: string): string {
  return words.length <= 1500 ? words : `${words.slice(0, 500)} … ${words.slice(-900)}`;
}

function limit(tool: string, name: string, most: string): Fault {
  return new Fault("render-limit", {
    message: `${tool} passed its ${name} limit (${most}) and was ended.`,
    next: "Make the chart or overlay smaller, or raise the limit in the hub's config (render).",
  });
}

function missing(tool: string, path: string, cause: unknown): Fault {
  return new Fault("tool-missing", {
    message: `expected ${tool} at ${path}, and could not start it.`,
    next: `Install ${tool}, or name its path in the hub's config (render.${tool}).`,
    cause,
  });
}

/** The last wall before the disk: plans hold normalised paths only. */
function checked(path: string): string {
  if (
    path !== "" &&
    !path.startsWith("/") &&
    !path.split("/").some((part) => part === ".." || part === "" || part === ".")
  ) {
    return path;
  }
  throw new Fault("path-escapes", { message: `expected a plain path in a job, found ${JSON.stringify(path)}.` });
}

/** Every directory that the paths need, parents first. */
function foldersOf(paths: readonly string[]): readonly string[] {
  const folders = new Set<string>();
  for (const path of paths) {
    const parts = path.split("/").slice(0, -1);
    for (let depth = 1; depth <= parts.length; depth += 1) folders.add(parts.slice(0, depth).join("/"));
  }
  return [...folders].sort();
}

async function prepared(directory: string): Promise<string> {
  await rm(join(directory, "jobs"), { recursive: true, force: true });
  await rm(join(directory, "tools"), { recursive: true, force: true });
  await mkdir(join(directory, "jobs"), { recursive: true, mode: 0o711 });
  await mkdir(join(directory, "tools"), { mode: 0o755 });
  return await realpath(directory);
}

/** A private root holds no loader and no libraries. */
async function requireStatic(path: string): Promise<void> {
  const handle = await open(path);
  try {
    const { buffer } = await handle.read(Buffer.alloc(4096), 0, 4096, 0);
    const isElf64 = buffer.readUInt32BE(0) === 0x7f454c46 && buffer[4] === 2;
    const headers = isElf64 ? buffer.readUInt16LE(56) : 0;
    const size = buffer.readUInt16LE(54);
    const start = Number(buffer.readBigUInt64LE(32));
    for (let index = 0; index < headers; index += 1) {
      const at = start + index * size;
      // PT_INTERP
      if (at + 4 <= buffer.length && buffer.readUInt32LE(at) === 3) {
        throw new Fault("unsupported", {
          message: `expected a statically linked tool, found ${path}, which needs a loader.`,
          next: "Use the binary that the project itself releases.",
        });
      }
    }
  } finally {
    await handle.close();
  }
}
