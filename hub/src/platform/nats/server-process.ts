import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type Clock, Fault } from "@capstan/proto";
import { readFileIfThere } from "../disk/files.ts";

/** A running nats-server: our child, or one that an earlier life of this hub has left. */
export interface ServerProcess {
  readonly pid: number;
  /** Whether an earlier life of the hub had started it. */
  readonly adopted: boolean;
  alive(): boolean;
}

/** Starts the binary on `server.conf` in the folder, apart from the hub's process group, so that it outlives a kill. */
export async function spawnServer(binary: string, folder: string): Promise<ServerProcess> {
  // The server appends: what is read after a failed start must be of this start.
  for (const name of ["server.log", "server.out", "nats.pid"]) rmSync(join(folder, name), { force: true });
  const out = openSync(join(folder, "server.out"), "a", 0o600);
  const child = spawn(binary, ["-c", join(folder, "server.conf")], { detached: true, stdio: ["ignore", out, out] });
  closeSync(out);
  await new Promise<void>((resolve, reject) => {
    child.once("spawn", resolve);
    child.once("error", (cause) => reject(missing(binary, cause)));
  });
  child.unref();
  return { pid: child.pid ?? 0, adopted: false, alive: () => !ended(child) };
}

/** The server of the folder's pid file. The caller has found out that it is ours (its name answers on our port). */
export async function leftServer(folder: string): Promise<ServerProcess | undefined> {
  const bytes = await readFileIfThere(join(folder, "nats.pid"));
  const pid = Number(new TextDecoder().decode(bytes ?? new Uint8Array()).trim());
  if (!Number.isSafeInteger(pid) || pid <= 1 || !exists(pid)) return undefined;
  return { pid, adopted: true, alive: () => exists(pid) };
}

/** Ends the server in order; by force after 10 s. */
export async function endServer(server: ServerProcess, clock: Clock): Promise<void> {
  signalServer(server, "SIGTERM");
  const never = new AbortController().signal;
  for (let waited = 0; server.alive(); waited += 50) {
    if (waited >= 10_000) signalServer(server, "SIGKILL");
    await clock.sleep(50, never);
  }
}

/** Sends a signal; a server that is gone is no error. */
export function signalServer(server: ServerProcess, signal: NodeJS.Signals): void {
  try {
    if (server.alive()) process.kill(server.pid, signal);
  } catch {
    // Gone between the look and the signal.
  }
}

/** Why the last start failed, by what the server has written. */
export async function startFault(folder: string, address: string): Promise<Fault> {
  const texts = await Promise.all(["server.out", "server.log"].map((name) => tail(join(folder, name))));
  const text = texts.join("");
  const last = text.split("\n").filter((line) => /\[(FTL|ERR)\]|nats-server:/.test(line));
  const found = last.at(-1)?.trim() ?? "no word in its log";
  if (/address already in use/.test(text)) {
    return new Fault("port-in-use", {
      message: `expected ${address} to be free for NATS, found it taken by another program.`,
      next: "Choose another port for the embedded NATS in the hub's config, or stop the other program.",
    });
  }
  if (isDiskFull(text)) {
    return new Fault("store-full", {
      message: `expected room on the disk for NATS, found: ${found}.`,
      where: { file: folder },
      next: "Free space or enlarge the volume; the hub goes on by itself.",
    });
  }
  return new Fault("store-unavailable", {
    message: `expected nats-server to start, found: ${found}.`,
    where: { file: join(folder, "server.log") },
    next: "Read that log.",
  });
}

/** Whether the server's words tell of a full disk. */
export function isDiskFull(text: string): boolean {
  return /no space left on device|disk quota exceeded|insufficient (storage|resources)/i.test(text);
}

async function tail(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).slice(-16_384);
}

function ended(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Whether the process lives. One that has ended but was not waited for (its starter is gone) counts as dead. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return stat.slice(stat.lastIndexOf(")") + 2, stat.lastIndexOf(")") + 3) !== "Z";
  } catch {
    return true;
  }
}

function missing(binary: string, cause: unknown): Fault {
  return new Fault("tool-missing", {
    message: `expected the nats-server binary at ${binary}, found none that starts.`,
    next: "Give its path in the hub's config or in CAPSTAN_NATS_SERVER.",
    cause,
  });
}
