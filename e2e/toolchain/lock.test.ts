import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { withLock } from "./lock.ts";

async function inFolder(act: (lock: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "capstan-lock-"));
  try {
    await act(join(folder, "deep", ".lock"));
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("of two who want a lock one waits for the other, and nothing is left", () =>
  inFolder(async (lock) => {
    const order: string[] = [];
    const work = (name: string) =>
      withLock(lock, async () => {
        order.push(`${name} in`);
        await new Promise((resolve) => setImmediate(resolve));
        order.push(`${name} out`);
      });
    await Promise.all([work("a"), work("b")]);
    assert.match(order.join(), /^(a in,a out,b in,b out|b in,b out,a in,a out)$/);
    assert.equal(existsSync(lock), false);
  }));

test("the lock of a process that was killed is taken over", () =>
  inFolder(async (lock) => {
    await withLock(lock, async () => {});
    const gone = spawnSync(process.execPath, ["-e", ""]).pid;
    await writeFile(lock, String(gone));
    assert.equal(await withLock(lock, async () => "mine"), "mine");
  }));

test("work that fails gives the lock back", () =>
  inFolder(async (lock) => {
    await assert.rejects(
      withLock(lock, () => Promise.reject(new Error("no"))),
      /no/,
    );
    assert.equal(existsSync(lock), false);
  }));
