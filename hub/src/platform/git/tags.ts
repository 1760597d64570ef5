import fs from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";
import git from "isomorphic-git";

/** The names of a mirror's tags, without `refs/tags/`; read from its files, which costs no process. */
export async function tagsOf(directory: string): Promise<readonly string[]> {
  const there = await access(join(directory, "HEAD")).then(
    () => true,
    () => false,
  );
  return there ? await git.listTags({ fs, gitdir: directory }) : [];
}
