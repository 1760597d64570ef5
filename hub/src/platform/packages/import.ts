import fs from "node:fs";
import { dirname } from "node:path";
import git, { type TreeEntry } from "isomorphic-git";
import type { UnpackedFile } from "./unpack.ts";

/** What a package becomes in the mirror. */
export interface Imported {
  readonly files: readonly UnpackedFile[];
  /** Where it is from, as the commit's author. */
  readonly origin: string;
  /** As `nginx 1.2.3`. */
  readonly subject: string;
  /** Seconds since 1970. */
  readonly published: number;
  /** Names of tags that lead to it from now on. */
  readonly tags: readonly string[];
}

const modes = { file: "100644", executable: "100755", link: "120000" } as const;
/** Files written at once. */
const atOnce = 16;

/** Makes the bare repository where there is none. */
export async function initMirror(gitdir: string): Promise<void> {
  await git.init({ fs, gitdir, bare: true, defaultBranch: "main" });
}

/**
 * Writes a package into the mirror as a commit of its own, so that all that reads repositories reads packages as well.
 * The same package gives the same commit.
 */
export async function importPackage(gitdir: string, imported: Imported): Promise<void> {
  const oids = new Map<string, string>();
  for (let at = 0; at < imported.files.length; at += atOnce) {
    const some = imported.files.slice(at, at + atOnce);
    const written = await Promise.all(some.map(({ content }) => git.writeBlob({ fs, gitdir, blob: content })));
    some.forEach(({ path }, index) => {
      oids.set(path, written[index] ?? "");
    });
  }
  const tree = await writeTrees(gitdir, imported.files, oids);
  const who = { name: imported.origin, email: "", timestamp: imported.published, timezoneOffset: 0 };
  const message = `${imported.subject}\n`;
  const oid = await git.writeCommit({
    fs,
    gitdir,
    commit: { message, tree, parent: [], author: who, committer: who },
  });
  for (const tag of imported.tags) await git.writeRef({ fs, gitdir, ref: `refs/tags/${tag}`, value: oid, force: true });
}

/** Lets another name lead to what a tag leads to. */
export async function aliasTag(gitdir: string, tag: string, alias: string): Promise<void> {
  if (alias === tag) return;
  const value = await git.resolveRef({ fs, gitdir, ref: `refs/tags/${tag}` });
  await git.writeRef({ fs, gitdir, ref: `refs/tags/${alias}`, value, force: true });
}

/** Writes every directory, the deepest first; gives the root's id. */
async function writeTrees(
  gitdir: string,
  files: readonly UnpackedFile[],
  oids: ReadonlyMap<string, string>,
): Promise<string> {
  const directories = new Map<string, TreeEntry[]>([["", []]]);
  const linesOf = (directory: string): TreeEntry[] => {
    const known = directories.get(directory);
    if (known !== undefined) return known;
    const lines: TreeEntry[] = [];
    directories.set(directory, lines);
    linesOf(parentOf(directory));
    return lines;
  };
  for (const { path, kind } of files) {
    const line = { path: baseOf(path), mode: modes[kind], oid: oids.get(path) ?? "", type: "blob" } as const;
    linesOf(parentOf(path)).push(line);
  }
  const deepest = [...directories.keys()].sort((one, other) => depth(other) - depth(one));
  let root = "";
  for (const directory of deepest) {
    const oid = await git.writeTree({ fs, gitdir, tree: linesOf(directory) });
    if (directory === "") root = oid;
    else linesOf(parentOf(directory)).push({ path: baseOf(directory), mode: "040000", oid, type: "tree" });
  }
  return root;
}

function parentOf(path: string): string {
  const parent = dirname(path);
  return parent === "." ? "" : parent;
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

function depth(path: string): number {
  return path === "" ? 0 : path.split("/").length;
}
