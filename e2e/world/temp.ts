import { rmSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** How the paths of all temporary directories begin. */
export const tempPrefix = join(tmpdir(), "capstan-");

const alive = new Set<string>();
let guarded = false;

/** Removes all that are left; for a process that ends early. What still writes there must have been ended before. */
export function removeTempDirs(): void {
  for (const path of alive) rmSync(path, { recursive: true, force: true, maxRetries: 5 });
}

/** A directory that is gone after the test. */
export class TempDir implements AsyncDisposable {
  readonly path: string;

  private constructor(path: string) {
    this.path = path;
    alive.add(path);
    if (!guarded) process.once("exit", removeTempDirs);
    guarded = true;
  }

  /** `name` shows in the path, so that a leftover can be traced. */
  static async make(name: string): Promise<TempDir> {
    return new TempDir(await mkdtemp(`${tempPrefix}${name}-`));
  }

  /** Path of `parts` below this directory; nothing is created. */
  at(...parts: string[]): string {
    return join(this.path, ...parts);
  }

  /** As `at`, and the directory is there afterwards. */
  async dir(...parts: string[]): Promise<string> {
    const path = this.at(...parts);
    await mkdir(path, { recursive: true });
    return path;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 5 });
    alive.delete(this.path);
  }
}
