import { spawn } from "node:child_process";
import { mkdir, readdir, stat, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { Fault, systemClock } from "@capstan/proto";
import type { Archive } from "../../cli/port.ts";
import { diskFault, errorCode } from "../disk/files.ts";
import { lockData, lockFolder } from "../disk/lock.ts";
import { markRestored, memoryFileName } from "../nats/memory.ts";
import { running } from "./running.ts";

/** Folders that the hub fills again by itself, and the lock. */
const leftOut = ["git", "render", lockFolder];

const never = new AbortController().signal;

/** Archives of a hub's data folder: gzipped tar files, readable by their owner alone. Mirrors are left out: Git has them. */
export const tarArchive: Archive = {
  backup: async (data, file) => {
    const folder = resolve(data);
    await checkStill(folder);
    // No hub starts on it while the copy is made.
    await using _held = await lockData(folder, systemClock, never);
    // The file is there, and private, before the first byte of a key is in it.
    await writeFile(file, "", { mode: 0o600, flag: "wx" }).catch((cause: unknown) => {
      throw errorCode(cause) === "EEXIST" ? taken(file) : diskFault(cause, file);
    });
    const left = leftOut.map((name) => `--exclude=./${name}`);
    const listed = await tar(["-czvf", resolve(file), ...left, "-C", folder, "."]);
    return { entries: listed.length, bytes: (await stat(file)).size };
  },
  restore: async (file, data, { rebuild }) => {
    const folder = resolve(data);
    await mkdir(folder, { recursive: true, mode: 0o700 });
    if ((await readdir(folder)).length > 0) {
      throw new Fault("already-exists", {
        message: "expected an empty folder, found a hub's data.",
        where: { file: folder },
        next: "Move it away first; nothing is written over.",
      });
    }
    await using _held = await lockData(folder, systemClock, never);
    const listed = await tar(["-xzvpf", resolve(file), "-C", folder]);
    const withStore = (await stat(join(folder, "nats", "jetstream")).catch(() => undefined)) !== undefined;
    if (withStore || rebuild) await markRestored(join(folder, memoryFileName));
    return { entries: listed.length, rebuilds: withStore || rebuild };
  },
};

function taken(file: string): Fault {
  return new Fault("already-exists", {
    message: "a file of that name is there already.",
    where: { file },
    next: "Name another; nothing is written over.",
  });
}

async function checkStill(folder: string): Promise<void> {
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new Fault("bad-input", {
      message: `expected a hub's data folder: ${errorCode(cause) ?? "it cannot be read"}.`,
      where: { file: folder },
      cause,
    });
  });
  if (!names.includes("keys")) {
    throw new Fault("bad-input", {
      message: "expected a hub's data folder, found no keys in it.",
      where: { file: folder },
      next: "Name the folder that `data` in the hub's config says.",
    });
  }
  const pids = await running(folder);
  if (pids.length === 0) return;
  throw new Fault("conflict", {
    message: `a hub or its nats-server still runs on this folder (process ${pids.join(", ")}).`,
    where: { file: folder },
    next: "Stop it first, so that the copy is of one moment.",
  });
}

function tar(args: readonly string[]): Promise<string[]> {
  return new Promise((done, fail) => {
    const child = spawn("tar", args, { stdio: ["ignore", "pipe", "pipe"], env: { PATH: process.env["PATH"] ?? "" } });
    let out = "";
    let err = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (err += chunk.toString()));
    child.once("error", (cause) =>
      fail(new Fault("tool-missing", { message: "tar cannot be started.", next: "Install tar.", cause })),
    );
    child.once("close", (code) => {
      if (code === 0) done(`${out}${err}`.split("\n").filter((line) => line !== ""));
      else fail(new Fault("bad-input", { message: `tar failed: ${err.trim().split("\n").at(-1) ?? ""}` }));
    });
  });
}
