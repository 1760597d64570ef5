import { readdir, stat, statfs } from "node:fs/promises";
import { join } from "node:path";
import { readFileIfThere } from "../disk/files.ts";

/** Share of what the volume could give the store that it may take: the rest is for logs, keys and the volume itself. */
const share = 0.9;
const least = 16 * 1024 * 1024;
/** So much larger the limit must have become for a restart to be worth it. */
const growth = 1.1;

/** Bytes that the store may take: of what is free and what it holds already. The server's own default forgets the latter. */
export async function storeLimit(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return Math.max(least, Math.floor(share * (bavail * bsize + (await folderBytes(join(folder, "jetstream"))))));
}

/** Less than this, and the next write of the server may fail. */
const needed = 1024 * 1024;

/** `full` as soon as there is no room to write, `room` once there is enough to begin again, `little` in between. */
export async function roomOn(folder: string): Promise<"full" | "little" | "room"> {
  const { bavail, bsize } = await statfs(folder);
  const free = bavail * bsize;
  return free < needed ? "full" : free > least ? "room" : "little";
}

/** Whether the server has met its limit or the disk's since its start, and there is room again by now. */
export async function hasRoomAgain(folder: string, limit: number): Promise<boolean> {
  const log = await readFileIfThere(join(folder, "server.log"));
  const text = new TextDecoder().decode(log?.subarray(-65_536) ?? new Uint8Array());
  if (!/resource limits exceeded|no space left on device|disk quota exceeded/i.test(text)) return false;
  const { bavail, bsize } = await statfs(folder);
  if (/no space left on device|disk quota exceeded/i.test(text)) return bavail * bsize > least;
  return (await storeLimit(folder)) > limit * growth;
}

async function folderBytes(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let bytes = 0;
  for (const entry of entries) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name)).catch(() => undefined))?.size ?? 0;
  }
  return bytes;
}
