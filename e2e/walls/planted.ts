import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** Writes `files` (path to text) into a folder of their own, hands it to `look`, and removes it. */
export async function planted<T>(files: Readonly<Record<string, string>>, look: (folder: string) => Promise<T> | T) {
  const folder = await mkdtemp(join(tmpdir(), "capstan-planted-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    return await look(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
