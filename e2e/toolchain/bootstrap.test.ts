import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";

const npmScript =
  '#!/bin/sh\necho "$@" > called\nmkdir -p node_modules && cp package-lock.json node_modules/.package-lock.json\n';

/** A checkout with the bootstrap, a lockfile, an `npm` that only records its call, and a tasks.ts that prints its words. */
function checkout(act: (folder: string, start: () => string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), "capstan-bootstrap-"));
  try {
    mkdirSync(join(folder, "e2e/toolchain"), { recursive: true });
    cpSync(join(import.meta.dirname, "bootstrap.mjs"), join(folder, "e2e/toolchain/bootstrap.mjs"));
    writeFileSync(
      join(folder, "e2e/toolchain/tasks.ts"),
      "console.log(process.argv.slice(2).join(' '));process.exitCode = 3;\n",
    );
    mkdirSync(join(folder, "bin"));
    writeFileSync(join(folder, "bin/npm"), npmScript, { mode: 0o755 });
    lock(folder, "1.0.0");
    const env = { ...process.env, PATH: `${join(folder, "bin")}:${process.env["PATH"] ?? ""}` };
    act(folder, () => {
      const args = [join(folder, "e2e/toolchain/bootstrap.mjs"), "test", "--name=x"];
      const done = spawnSync(process.execPath, args, { cwd: folder, env, encoding: "utf8" });
      assert.equal(done.status, 3, `the task's own exit code comes through: ${done.stderr}`);
      return done.stdout.trim();
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function lock(folder: string, version: string): void {
  const packages = {
    "": {},
    "node_modules/zod": { version },
    "node_modules/for-another-system": { version, optional: true },
    "node_modules/@capstan/hub": { link: true },
  };
  writeFileSync(join(folder, "package-lock.json"), JSON.stringify({ packages }));
}

test("a fresh checkout installs, an unchanged one does not, a changed lockfile does again", () => {
  checkout((folder, start) => {
    assert.equal(start(), "test --name=x");
    assert.match(readFileSync(join(folder, "called"), "utf8"), /^install --no-save/);
    rmSync(join(folder, "called"));
    start();
    assert.equal(existsSync(join(folder, "called")), false);
    lock(folder, "2.0.0");
    start();
    assert.equal(existsSync(join(folder, "called")), true);
  });
});
