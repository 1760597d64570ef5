import { type ChildProcess, type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable } from "node:stream";
import { Fault } from "@capstan/proto";

/** A program to run to its end. */
export interface SpawnRequest {
  /** Absolute, or found in `env.PATH`. */
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  /** More than this on stdout ends it. */
  readonly outputBytes: number;
  /** Laid out before, and removed after. */
  readonly scene?: Scene;
}

/** A directory that lives as long as the program. All paths are absolute and below `root`, which must not exist. */
export interface Scene {
  readonly root: string;
  /** Parents first. */
  readonly folders: readonly { readonly path: string; readonly mode: number }[];
  readonly files: readonly { readonly path: string; readonly bytes: Uint8Array }[];
  /** Hard links: another name for a file elsewhere. */
  readonly links: readonly { readonly path: string; readonly to: string }[];
}

/** How it ended. Of stderr both ends are kept, 32 KiB in all. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly overflowed: boolean;
  /** It could not be started. */
  readonly error?: string;
}

/** Runs programs, each in a process group of its own that ends with it, with the signal, and with the hub. */
export interface Runner {
  /** Rejects with `cancelled` when the signal aborts, after the whole group was killed. */
  run(request: SpawnRequest, signal: AbortSignal): Promise<Ended>;
}

interface Waiting {
  resolve(ended: Ended): void;
  reject(fault: Fault): void;
}

/**
 * A small process that starts others. Starting a process copies the page tables of the one that starts it, and stops it
 * meanwhile: measured, 2 ms from a fresh Node process, 58 ms from one of 1.2 GiB, as a hub may be.
 */
export class Spawner implements Runner {
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #next = 0;

  async run(request: SpawnRequest, signal: AbortSignal): Promise<Ended> {
    signal.throwIfAborted();
    const child = this.#running();
    this.#next += 1;
    const id = this.#next;
    const cancel = () => child.connected && child.send({ id, cancel: true });
    signal.addEventListener("abort", cancel, { once: true });
    try {
      const ended = await new Promise<Ended>((resolve, reject) => {
        this.#waiting.set(id, { resolve, reject });
        child.channel?.ref();
        child.send({ id, ...request }, (error) => error && reject(lost(error)));
      });
      if (signal.aborted) throw new Fault("cancelled", { message: "the program was cancelled." });
      return ended;
    } finally {
      signal.removeEventListener("abort", cancel);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) child.channel?.unref();
    }
  }

  /** Starts the small process, best while the hub is small itself; `run` does it where this was not done. */
  start(): this {
    this.#running();
    return this;
  }

  #running(): ChildProcess {
    if (this.#child?.connected === true) return this.#child;
    const child = spawn(process.execPath, ["--input-type=commonjs", "--eval", program], {
      env: {},
      cwd: "/",
      stdio: ["ignore", "ignore", "ignore", "ipc"],
      serialization: "advanced",
    });
    child.on("message", (message) => this.#take(message as Ended & { readonly id: number }));
    const end = (cause?: unknown) => {
      if (this.#child === child) this.#child = undefined;
      for (const waiting of this.#waiting.values()) waiting.reject(lost(cause));
    };
    child.on("error", end);
    child.on("exit", () => end());
    // It must not keep the hub alive; it ends itself when the hub is gone.
    child.unref();
    child.channel?.unref();
    this.#child = child;
    return child;
  }

  #take({ id, ...ended }: Ended & { readonly id: number }): void {
    this.#waiting.get(id)?.resolve(ended);
  }
}

function lost(cause: unknown): Fault {
  return new Fault("internal", { message: "the process that starts programs ended.", retryable: true, cause });
}

const program = `${[answer, layOut, killGroup, collect].map(String).join("\n")}\n(${String(starter)})();`;

// The functions below run in the small process, by their text alone: they may name only each other, and hold no named
// function inside, which bundlers would wrap in a helper that is not there.

/** What the small process knows of. */
interface Started {
  readonly running: Map<number, number>;
  readonly scenes: Set<string>;
}

/** Answers `{ id, …SpawnRequest }` with `{ id, …Ended }`; `{ id, cancel }` kills. Ends, with all it started, with the hub. */
function starter(): void {
  const { spawn: start } = process.getBuiltinModule("node:child_process");
  const fs = process.getBuiltinModule("node:fs");
  const started: Started = { running: new Map(), scenes: new Set() };
  process.on("disconnect", () => {
    for (const pid of started.running.values()) killGroup(pid);
    for (const root of started.scenes) fs.rmSync(root, { recursive: true, force: true });
    process.exit(0);
  });
  process.on("message", (message: SpawnRequest & { readonly id: number; readonly cancel?: boolean }) => {
    const { id, file, args, cwd, env, outputBytes, scene } = message;
    if (message.cancel === true) {
      killGroup(started.running.get(id));
      return;
    }
    try {
      if (scene !== undefined) {
        started.scenes.add(scene.root);
        layOut(scene);
      }
      const child = start(file, args, { cwd, env, detached: true, stdio: ["ignore", "pipe", "pipe"] });
      if (child.pid !== undefined) started.running.set(id, child.pid);
      collect(child, outputBytes, (ended) => answer(started, message, ended));
    } catch (thrown) {
      const none = Buffer.alloc(0);
      const nothing = { code: null, signal: null, stdout: none, stderr: none, overflowed: false };
      answer(started, message, { ...nothing, error: String(thrown) });
    }
  });
}

function answer(started: Started, { id, scene }: SpawnRequest & { readonly id: number }, ended: Ended): void {
  started.running.delete(id);
  if (scene !== undefined) {
    process.getBuiltinModule("node:fs").rmSync(scene.root, { recursive: true, force: true });
    started.scenes.delete(scene.root);
  }
  process.send?.({ id, ...ended });
}

/** All at once: these are small files, and handing each call to another thread costs more than the call. */
function layOut(scene: Scene): void {
  const fs = process.getBuiltinModule("node:fs");
  for (const { path, mode } of scene.folders) {
    fs.mkdirSync(path);
    // `mkdir` takes the process's mask off the mode.
    fs.chmodSync(path, mode);
  }
  for (const { path, bytes } of scene.files) fs.writeFileSync(path, bytes, { flag: "wx", mode: 0o644 });
  for (const { path, to } of scene.links) fs.linkSync(to, path);
}

function killGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}

function collect(
  child: ChildProcessByStdio<null, Readable, Readable>,
  outputBytes: number,
  answer: (ended: Ended) => void,
): void {
  const printed: Buffer[] = [];
  const said: Buffer[] = [];
  let last = Buffer.alloc(0);
  let [length, words] = [0, 0];
  let error: string | undefined;
  child.stdout.on("data", (chunk: Buffer) => {
    length += chunk.length;
    if (length <= outputBytes) printed.push(chunk);
    else killGroup(child.pid);
  });
  child.stderr.on("data", (chunk: Buffer) => {
    words += chunk.length;
    if (words <= 16_384) said.push(chunk);
    else last = Buffer.concat([last, chunk]).subarray(-16_384);
  });
  child.on("error", (cause) => {
    error = cause.message;
  });
  child.on("close", (code, signal) => {
    const overflowed = length > outputBytes;
    const stdout = overflowed ? Buffer.alloc(0) : Buffer.concat(printed);
    const ended = { code, signal, stdout, stderr: Buffer.concat([...said, last]), overflowed };
    answer(error === undefined ? ended : { ...ended, error });
  });
}
