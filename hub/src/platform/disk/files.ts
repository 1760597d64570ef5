import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Fault } from "@capstan/proto";

/**
 * Writes a file so that a reader sees the old content or the new, never a part, also after a power cut: temporary file,
 * fsync, rename, fsync of the folder. Missing folders are made (0700). Faults: `store-full`, `internal`.
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string, mode = 0o600): Promise<void> {
  const folder = dirname(path);
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const file = await open(temporary, "wx", mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
    await syncFolder(folder);
  } catch (thrown) {
    await rm(temporary, { force: true });
    throw diskFault(thrown, path);
  }
}

/** The file's bytes; undefined when it is not there. */
export async function readFileIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    return await readFile(path);
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") return undefined;
    throw diskFault(thrown, path);
  }
}

/** The file's text, made by `make` and written (0600) when it is not there yet. */
export async function readOrMake(path: string, make: () => string | Promise<string>): Promise<string> {
  const found = await readFileIfThere(path);
  if (found !== undefined) return new TextDecoder().decode(found);
  const text = await make();
  await writeFileAtomic(path, text);
  return text;
}

/** A fault that names the file and, for a full disk or a missing right, the cure. */
export function diskFault(thrown: unknown, path: string): Fault {
  if (thrown instanceof Fault) return thrown;
  const code = errorCode(thrown);
  const where = { file: path };
  if (code === "ENOSPC" || code === "EDQUOT") {
    return new Fault("store-full", {
      message: "expected room on the disk, found none left.",
      where,
      next: "Free space or enlarge the volume; the hub goes on by itself.",
      cause: thrown,
    });
  }
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") {
    return new Fault("bad-config", {
      message: `expected to be allowed to read and write this file, found ${code}.`,
      where,
      next: "Give the hub's user the right to its data folder.",
      cause: thrown,
    });
  }
  return Fault.from(thrown).at(where);
}

/** Node's error code of a failed call, where it has one. */
export function errorCode(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}

/** Makes the rename itself durable. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
