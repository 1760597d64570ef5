import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { suite, test } from "node:test";
import { Fault } from "@capstan/proto";
import { generous } from "@capstan/proto/testing";
import { Spawner } from "./spawner.ts";

const never = new AbortController().signal;
const sh = (script: string, outputBytes = 1024) => ({
  file: "/bin/sh",
  args: ["-c", script],
  cwd: "/",
  env: { ONLY: "this" },
  outputBytes,
});

suite("the process that starts others", () => {
  test("runs many at once, with nothing but what is given", async () => {
    const spawner = new Spawner();
    const all = await Promise.all(
      Array.from({ length: 20 }, (_, n) => spawner.run(sh(`echo ${n}; env >&2; exit ${n}`), never)),
    );
    for (const [n, ended] of all.entries()) {
      assert.equal(Buffer.from(ended.stdout).toString(), `${n}\n`);
      assert.equal(ended.code, n);
      const names = Buffer.from(ended.stderr)
        .toString()
        .split("\n")
        .map((line) => line.split("=")[0]);
      assert.deepEqual(
        names.filter((name) => !["PWD", "OLDPWD", "SHLVL", "_", ""].includes(name ?? "")),
        ["ONLY"],
      );
    }
  });

  test("says what could not be started, and what printed too much", async () => {
    const spawner = new Spawner();
    assert.match((await spawner.run({ ...sh(""), file: "/nowhere" }, never)).error ?? "", /ENOENT/);
    const large = await spawner.run(sh("yes"), never);
    assert.equal(large.overflowed, true);
    assert.equal(large.stdout.length, 0);
    const noisy = await spawner.run(sh("echo first >&2; yes noise | head -c 200000 >&2; echo last >&2"), never);
    assert.match(Buffer.from(noisy.stderr).toString(), /^first[\s\S]*last\n$/);
    assert.ok(noisy.stderr.length <= 64 * 1024);
  });

  test("kills a whole group when cancelled", { timeout: generous(10_000) }, async () => {
    const spawner = new Spawner();
    const stop = new AbortController();
    const running = spawner.run(sh("sleep 1000 & sleep 1000"), stop.signal);
    setImmediate(() => stop.abort());
    await assert.rejects(running, (thrown: Error) => Fault.from(thrown).code === "cancelled");
  });

  test("ends what it started when the hub is killed", {
    timeout: generous(10_000),
    skip: process.platform !== "linux",
  }, async () => {
    const module = new URL("./spawner.ts", import.meta.url).href;
    const script = `import { Spawner } from ${JSON.stringify(module)};
      const s = new Spawner();
      const r = await s.run({ file: "/bin/sh", args: ["-c", "echo $PPID"], cwd: "/", env: {}, outputBytes: 99 }, new AbortController().signal);
      s.run({ file: "/bin/sh", args: ["-c", "sleep 1000"], cwd: "/", env: {}, outputBytes: 99 }, new AbortController().signal);
      console.log(Buffer.from(r.stdout).toString());`;
    const hub = spawn(process.execPath, ["--input-type=module", "--eval", script], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const spawner = await new Promise<string>((resolve) =>
      hub.stdout.once("data", (data: Buffer) => resolve(String(data).trim())),
    );
    assert.ok(existsSync(`/proc/${spawner}`));
    hub.kill("SIGKILL");
    while (existsSync(`/proc/${spawner}`)) await new Promise((resolve) => setImmediate(resolve));
  });
});
