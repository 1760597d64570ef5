import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { root } from "../toolchain/program.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { Child, processesNaming, run, showLogsOnFailure } from "../world/process.ts";
import { TempDir } from "../world/temp.ts";
import { notYet, until, within } from "../world/wait.ts";

test("the playground runs, a push with plain git arrives, and Ctrl-C leaves nothing behind", async (context) => {
  await ensureTools(["helm", "kubectl", "natsServer"]);
  await using dir = await TempDir.make("playground");
  // All that it makes stands below the test's own folder, so that whatever is left is found.
  const env = { ...shell(), TMPDIR: dir.path };
  const args = [join(root, "e2e/playground/main.ts"), "--simulated"];
  await using child = await Child.start({ name: "playground", binary: process.execPath, args, env });
  showLogsOnFailure(context, () => [child]);
  await child.ready("it says that it is ready", (output) => /^ready after/m.test(output), 30_000);

  const said = (title: string) => {
    const line = child.tail.split("\n").find((one) => one.startsWith(`  ${title}`));
    assert.ok(line !== undefined, `the line ${title} in:\n${child.tail}`);
    return line.slice(title.length + 2).trim();
  };
  const prepare = `export ${said("export ")}`;
  const inShell = async (line: string) => {
    const result = await run({ name: "bash", binary: "bash", args: ["-c", `${prepare}\n${line}`], env: shell() });
    assert.equal(result.code, 0, `${line}\n${result.stderr}${result.stdout}`);
    return result.stdout;
  };
  assert.match(await inShell("capstan status"), /3 clusters +3 connected/);
  const look = said("look into dev-1").replace("-A", "-n team-shop-web -o yaml");
  assert.doesNotMatch(await inShell(look), /cart\.limit=75/);
  await inShell(said("push a change"));
  await until("the change", async () => /cart\.limit=75/.test(await inShell(look)), { bound: 10_000, every: 200 });

  child.signal("SIGINT");
  const exit = await within("the end of the playground", 15_000, child.exited);
  assert.deepEqual(exit, { code: 0, signal: null });
  await until(
    "no process of it",
    () => processesNaming(dir.path).length === 0 || notYet(processesNaming(dir.path)),
    5_000,
  );
  assert.deepEqual(await readdir(dir.path), []);
});

/** What a person's shell has. */
function shell(): Record<string, string> {
  const { PATH = "", HOME = "" } = process.env;
  const own = Object.entries(process.env).filter(([name]) => /^CAPSTAN_|^KUBEBUILDER|^XDG/.test(name));
  return { PATH, HOME, ...Object.fromEntries(own.map(([name, value]) => [name, value ?? ""])) };
}
