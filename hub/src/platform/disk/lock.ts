import { randomBytes } from "node:crypto";
import { mkdir, open, readdir, rename, rm, stat } from "node:fs/promises";
import { createConnection, createServer, type Server } from "node:net";
import { join } from "node:path";
import { type Clock, Fault } from "@capstan/proto";
import { diskFault, errorCode } from "./files.ts";

/** The folder below a data folder whose sockets tell who works on it. */
export const lockFolder = "lock";

const asking = "asking-";
const holding = "holding-";

/**
 * Holds a data folder for this process until it is disposed or the process ends, in whatever way. Throws `data-in-use`
 * while another process holds it.
 *
 * The lock is a listening Unix socket below `lock`: the kernel ends it with its process, so there is no lock to be removed
 * by hand, and unlike an abstract socket it is seen from other containers that share the folder. Each process listens on a
 * name of its own before it looks at the others, so of two that start together one sees the other; a name whose socket
 * nobody serves is never served again, so it may be removed.
 */
export async function lockData(folder: string, clock: Clock, signal: AbortSignal): Promise<AsyncDisposable> {
  for (;;) {
    const held = await tryLock(folder, clock, signal);
    if (held !== undefined) return held;
  }
}

/** Undefined: another took our name for a dead one before we listened on it, and we would hold unseen. */
async function tryLock(folder: string, clock: Clock, signal: AbortSignal): Promise<AsyncDisposable | undefined> {
  const locks = join(folder, lockFolder);
  await mkdir(locks, { recursive: true, mode: 0o700 }).catch((thrown: unknown) => {
    throw diskFault(thrown, locks);
  });
  // A socket's path takes 107 bytes at most; by the folder's descriptor it is always short.
  const handle = await open(locks, "r");
  await using opened = new AsyncDisposableStack();
  opened.defer(() => handle.close());
  const via = await shortPath(locks, handle.fd);
  const name = randomBytes(8).toString("hex");
  const mine = join(via, `${asking}${name}`);
  const server = await listen(mine).catch((thrown: unknown) => {
    throw diskFault(thrown, locks);
  });
  opened.defer(async () => {
    for (const prefix of [asking, holding]) await rm(join(via, `${prefix}${name}`), { force: true });
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  while (await othersAsk(via, name, folder)) await clock.sleep(50, signal);
  try {
    await rename(mine, join(via, `${holding}${name}`));
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") return undefined;
    throw diskFault(thrown, locks);
  }
  return opened.move();
}

/** Whether to wait: one whose name comes after ours may have looked before we were there. */
async function othersAsk(via: string, mine: string, folder: string): Promise<boolean> {
  let wait = false;
  for (const file of await readdir(via)) {
    const name = file.replace(/^(asking|holding)-/, "");
    if (name === file || name === mine) continue;
    const found = await look(join(via, file));
    if (found === "dead") continue;
    if (found === "served" && (file.startsWith(holding) || name < mine)) throw inUse(folder);
    wait = true;
  }
  return wait;
}

/** Whether a process serves the socket; a dead one is removed. `moved`: it ended, or has another name since: look again. */
async function look(path: string): Promise<"served" | "dead" | "moved"> {
  const code = await new Promise<string | undefined>((resolve) => {
    const socket = createConnection(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once("error", (error) => resolve(errorCode(error) ?? "unknown"));
  });
  if (code === "ENOENT") return "moved";
  if (code !== "ECONNREFUSED") return "served";
  await rm(path, { force: true });
  return "dead";
}

function inUse(folder: string): Fault {
  return new Fault("data-in-use", {
    message: "expected a data folder that no other hub uses, found one that a running process holds.",
    where: { file: folder },
    next: "Give each hub a data folder of its own, or stop the other one first; nothing was touched.",
  });
}

async function shortPath(folder: string, descriptor: number): Promise<string> {
  const short = `/proc/self/fd/${descriptor}`;
  return (await stat(short).catch(() => undefined)) === undefined ? folder : short;
}

/** Listens for as long as the process lives; whoever connects is let go at once. */
function listen(path: string): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer((socket) => socket.destroy());
    server.once("error", reject);
    server.listen(path, () => resolve(server.unref()));
  });
}
