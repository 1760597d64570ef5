import { readdir, readFile, stat } from "node:fs/promises";
import { join, relative } from "node:path";
import { createInterface } from "node:readline";
import { Writable } from "node:stream";
import { Fault } from "@capstan/proto";
import type { Files } from "../../cli/port.ts";
import { errorCode, readFileIfThere, writeFileAtomic } from "../disk/files.ts";

/** Files on this machine's disk. */
export const diskFiles: Files = {
  read: (path) => (path === "-" ? readStdin() : readText(path)),
  readInput: (prompt) => (process.stdin.isTTY === true ? readHidden(prompt ?? "") : readStdin()),
  documents: async (path) => {
    if (path === "-") return [{ name: "standard input", content: await readStdin() }];
    const names = await documentNames(path);
    return Promise.all(names.map(async (name) => ({ name, content: await readText(name) })));
  },
  list: async (folder) => {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((cause: unknown) => {
      throw unreadable(folder, cause);
    });
    return entries
      .filter((entry) => entry.isFile())
      .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
      .filter((path) => !/(?:^|\/)\.git(?:\/|$)/.test(path))
      .sort();
  },
  writePrivate: (path, text) => writeFileAtomic(path, text),
  readIfThere: async (path) => {
    const bytes = await readFileIfThere(path);
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  },
};

async function documentNames(path: string): Promise<readonly string[]> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
  if (!found.isDirectory()) return [path];
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile() && /\.(ya?ml|json)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (names.length > 0) return names;
  throw new Fault("path-empty", {
    message: "expected files named *.yaml, *.yml or *.json, found none.",
    where: { file: path },
    next: "Name another folder, or a file.",
  });
}

async function readText(path: string): Promise<string> {
  return readFile(path, "utf8").catch((cause: unknown) => {
    throw unreadable(path, cause);
  });
}

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString("utf8");
}

/** One line from the terminal that is not echoed. */
function readHidden(prompt: string): Promise<string> {
  process.stderr.write(prompt);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true });
  return new Promise((resolve, reject) => {
    lines.once("line", (line) => {
      lines.close();
      process.stderr.write("\n");
      resolve(line);
    });
    lines.once("SIGINT", () => {
      lines.close();
      process.stderr.write("\n");
      reject(new Fault("cancelled", { message: "nothing was changed." }));
    });
  });
}

function unreadable(path: string, cause: unknown): Fault {
  const why = errorCode(cause) === "ENOENT" ? "there is none" : (errorCode(cause) ?? "it cannot be read");
  return new Fault("bad-input", {
    message: `expected a file that can be read: ${why}.`,
    where: { file: path },
    next: "Check the path.",
    cause,
  });
}
