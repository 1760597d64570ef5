import { execFile } from "node:child_process";
import { globSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { check, root, type Verdict } from "./program.ts";

const git = promisify(execFile);
const schema = "proto";

/** Wall: proto/src/gen is what `buf generate` makes of the schema now. */
export async function freshVerdict(home = root): Promise<Verdict> {
  return inTemporaryFolder(async (folder) => {
    const args = ["generate", schema, "--template", `${schema}/buf.gen.yaml`, "--output", folder];
    const made = await check("buf", args, home);
    if (made.code !== 0) return made;
    return compareFolders(join(folder, "src/gen"), join(home, schema, "src/gen"));
  });
}

async function compareFolders(fresh: string, committed: string): Promise<Verdict> {
  const names = new Set([fresh, committed].flatMap((cwd) => globSync("**/*.ts", { cwd })));
  const stale: string[] = [];
  for (const name of [...names].sort()) {
    const [a, b] = await Promise.all([fresh, committed].map((one) => readFile(join(one, name)).catch(() => undefined)));
    if (a === undefined || b === undefined || !a.equals(b)) stale.push(name);
  }
  const output = `generated code is not what the schema says: ${stale.join(", ")}; run npm run generate and commit\n`;
  return stale.length === 0 ? { code: 0, output: "" } : { code: 1, output };
}

/**
 * Wall: nothing that an older program relies on is removed or changes its meaning. Compares the files here with the
 * commit that everybody else has: `CAPSTAN_BREAKING_BASE`, else the last release (tag v*), else origin/main, else main.
 * A base without the schema (or no base, as in a new repository) cannot be broken.
 */
export async function breakingVerdict(): Promise<Verdict> {
  const base = await chooseBase(root);
  if (base === undefined) return { code: 0, output: "" };
  return breakingAgainst(root, base);
}

/** Compares the schema below `folder` with that of commit `base` in the same repository. */
export async function breakingAgainst(folder: string, base: string): Promise<Verdict> {
  const listed = await git("git", ["ls-tree", "-r", "--name-only", base, `${schema}/`], { cwd: folder });
  const files = listed.stdout.split("\n").filter((name) => /\.proto$|buf\.yaml$/.test(name));
  if (!files.some((name) => name.endsWith(".proto"))) return { code: 0, output: "" };
  return inTemporaryFolder(async (before) => {
    for (const name of files) {
      const { stdout } = await git("git", ["show", `${base}:${name}`], { cwd: folder });
      await mkdir(dirname(join(before, name)), { recursive: true });
      await writeFile(join(before, name), stdout);
    }
    return check("buf", ["breaking", join(folder, schema), "--against", join(before, schema)]);
  });
}

async function chooseBase(folder: string): Promise<string | undefined> {
  const named = process.env["CAPSTAN_BREAKING_BASE"];
  if (named !== undefined && named !== "") return named;
  const tag = await git("git", ["describe", "--tags", "--abbrev=0", "--match", "v*"], { cwd: folder }).catch(
    () => null,
  );
  const candidates = [...(tag === null ? [] : [tag.stdout.trim()]), "refs/remotes/origin/main", "refs/heads/main"];
  for (const one of candidates) {
    const known = await git("git", ["rev-parse", "--verify", "--quiet", `${one}^{commit}`], { cwd: folder }).catch(
      () => null,
    );
    if (known !== null) return known.stdout.trim();
  }
  return undefined;
}

async function inTemporaryFolder<T>(act: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "capstan-contract-"));
  try {
    return await act(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
