import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { systemClock } from "@capstan/proto";
import { lockData, lockFolder } from "./lock.ts";

const signal = new AbortController().signal;
let base = "";

/** Another process that holds the folder until it is killed. */
async function holder(folder: string) {
  const program = `
    import { lockData } from ${JSON.stringify(join(import.meta.dirname, "lock.ts"))};
    import { systemClock } from "@capstan/proto";
    await lockData(process.argv[1], systemClock, new AbortController().signal);
    process.stdout.write("held");
    setInterval(() => {}, 1000);`;
  const args = ["--input-type=module-typescript", "-e", program, folder];
  const child = spawn(process.execPath, args, { cwd: import.meta.dirname, stdio: ["ignore", "pipe", "inherit"] });
  await once(child.stdout, "data");
  return child;
}

describe("the lock of a data folder", () => {
  before(async () => {
    base = await mkdtemp(join(tmpdir(), "capstan-lock-"));
  });
  after(() => rm(base, { recursive: true, force: true }));

  it("is refused to a second process, and goes with the first however that ends", async () => {
    const folder = join(base, "data");
    const first = await holder(folder);
    await assert.rejects(lockData(folder, systemClock, signal), { code: "data-in-use" });
    first.kill("SIGKILL");
    await once(first, "exit");
    assert.equal((await readdir(join(folder, lockFolder))).length, 1, "a killed process leaves its socket");
    {
      await using _held = await lockData(folder, systemClock, signal);
      await assert.rejects(lockData(folder, systemClock, signal), { code: "data-in-use" });
    }
    assert.deepEqual(await readdir(join(folder, lockFolder)), []);
    await using _again = await lockData(folder, systemClock, signal);
  });

  it("is held by a process that is stopped", async () => {
    const folder = join(base, "stopped");
    const first = await holder(folder);
    first.kill("SIGSTOP");
    await assert.rejects(lockData(folder, systemClock, signal), { code: "data-in-use" });
    first.kill("SIGKILL");
    await once(first, "exit");
  });

  it("goes to one of many that start together", async () => {
    const folder = join(base, "race");
    for (let round = 0; round < 20; round++) {
      const tries = await Promise.allSettled(Array.from({ length: 6 }, () => lockData(folder, systemClock, signal)));
      const won = tries.filter((one) => one.status === "fulfilled");
      assert.equal(won.length, 1);
      for (const one of tries) if (one.status === "rejected") assert.equal(one.reason.code, "data-in-use");
      await won[0]?.value[Symbol.asyncDispose]();
    }
  });

  it("works below a path of any length, and beside files that are no sockets", async () => {
    const folder = join(base, "x".repeat(120), "data");
    await mkdir(join(folder, lockFolder), { recursive: true });
    await writeFile(join(folder, lockFolder, "holding-file"), "");
    await using _held = await lockData(folder, systemClock, signal);
    await assert.rejects(lockData(folder, systemClock, signal), { code: "data-in-use" });
  });
});
