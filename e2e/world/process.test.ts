import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { Child, endProcessesNaming, processesNaming, run } from "./process.ts";
import { TempDir } from "./temp.ts";
import { notYet, until } from "./wait.ts";

const node = (script: string, extra: Partial<Parameters<typeof Child.start>[0]> = {}) =>
  Child.start({ name: "script", binary: process.execPath, args: ["-e", script], ...extra });

test("a child gets exactly the environment it was given, and its output is kept", async () => {
  await using dir = await TempDir.make("process");
  const logFile = dir.at("child.log");
  await using child = await node("console.log(JSON.stringify(Object.keys(process.env))); setInterval(() => {}, 1000)", {
    env: { ONLY: "this" },
    logFile,
  });
  await child.ready("it prints", (output) => output.includes("]"), 5_000);
  assert.deepEqual(JSON.parse(child.tail), ["ONLY"]);
  assert.ok(child.usage().rssBytes > 1_000_000);
  await child.stop();
  await until("the log file", async () => (await readFile(logFile, "utf8")).includes("ONLY"), 2_000);
});

test("a child that ends before it is ready is reported at once with what it printed", async () => {
  await using child = await node("console.error('the port is taken'); process.exit(3)");
  await assert.rejects(
    child.ready("it listens", () => false, 10_000),
    /exit code 3[\s\S]*the port is taken/,
  );
});

test("a paused child stands still and goes on when resumed", async () => {
  await using child = await node("let n = 0; setInterval(() => console.log(++n), 5)");
  const count = () => Number(child.tail.trim().split("\n").at(-1));
  await child.ready("it counts", () => count() > 2, 5_000);
  child.pause();
  const state = async () => /State:\s+(\w)/.exec(await readFile(`/proc/${child.pid}/status`, "utf8"))?.[1];
  await until("it stands", async () => (await state()) === "T", 2_000);
  const before = count();
  child.resume();
  await until("it counts on", () => count() > before + 2, 5_000);
  assert.deepEqual(await child.kill(), { code: null, signal: "SIGKILL" });
});

test("what a child left running in a session of its own is found by the test's directory and ended", async () => {
  await using dir = await TempDir.make("orphan");
  const script = `require("node:child_process").spawn(process.execPath,
    ["-e", "setInterval(() => {}, 1000)", process.argv[1]], { detached: true, stdio: "ignore" }).unref();
    console.log("done")`;
  {
    await using child = await Child.start({
      name: "parent",
      binary: process.execPath,
      args: ["-e", script, dir.path],
    });
    await child.exited;
  }
  assert.equal(processesNaming(dir.path).length, 1);
  await endProcessesNaming(dir.path);
  assert.equal(processesNaming(dir.path).length, 0);
});

test("run gives exit code and output, and feeds the input", async () => {
  const result = await run({
    name: "script",
    binary: process.execPath,
    args: ["-e", "process.stdin.on('data', (d) => process.stdout.write(d)).on('end', () => process.exit(7))"],
    input: "hello",
  });
  assert.deepEqual(result, { code: 7, stdout: "hello", stderr: "" });
});

test("a wait that is not fulfilled says what it last saw", async () => {
  await assert.rejects(
    until("three", () => notYet({ count: 2 }), 30),
    /waited \d+ ms for three; last saw \{"count":2\}/,
  );
});
