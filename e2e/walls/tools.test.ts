import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { appendFile, cp, readFile } from "node:fs/promises";
import { join } from "node:path";
import test from "node:test";
import { breakingAgainst, freshVerdict } from "../toolchain/contract.ts";
import { check, root } from "../toolchain/program.ts";
import { planted } from "./planted.ts";

async function withConfig(file: string, files: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  return { [file]: await readFile(join(root, file), "utf8"), ...files };
}

async function oxlint(code: string): Promise<string> {
  const files = await withConfig(".oxlintrc.json", {
    "tsconfig.json": '{ "compilerOptions": { "strict": true, "module": "nodenext", "types": [] } }',
    "a.ts": code,
  });
  const { code: exit, output } = await planted(files, (folder) =>
    check("oxlint", ["--type-aware", "--deny-warnings", "."], folder),
  );
  assert.notEqual(exit, 0, output);
  return output;
}

test("a promise that nobody awaits fails the lint", async () => {
  const output = await oxlint("async function save(): Promise<void> {}\nexport function f(): void {\n  save();\n}\n");
  assert.match(output, /no-floating-promises/);
});

test("a switch that forgets a case fails the lint", async () => {
  const output = await oxlint(
    'export function f(a: "x" | "y"): number {\n  switch (a) {\n    case "x":\n      return 1;\n  }\n  return 2;\n}\n',
  );
  assert.match(output, /switch-exhaustiveness-check/);
});

test("any, a non-null assertion and a function past 60 lines fail the lint", async () => {
  const long = `export function g(): void {\n${"  String(1);\n".repeat(61)}}\n`;
  const output = await oxlint(`export const f = (a: any, b?: string) => [a, b!];\n${long}`);
  for (const rule of [/no-explicit-any/, /no-non-null-assertion/, /max-lines-per-function/]) assert.match(output, rule);
});

test("a badly formatted file fails the format check", async () => {
  const files = await withConfig("biome.json", { "a.ts": "export const a = 'x'\n" });
  const { code, output } = await planted(files, (folder) => {
    execFileSync("git", ["init", "-q"], { cwd: folder });
    return check("biome", ["check", "."], folder);
  });
  assert.notEqual(code, 0);
  assert.match(output, /a\.ts/);
});

test("an export, a file and a dependency that nobody uses fail the search for dead code", async () => {
  const files = await withConfig("knip.jsonc", {
    "package.json": JSON.stringify({ name: "capstan", workspaces: ["proto", "hub", "agent", "e2e"] }),
    "hub/package.json": JSON.stringify({ name: "@capstan/hub", type: "module", dependencies: { nats: "1" } }),
    "hub/src/main.ts": 'import { live } from "./store/a.ts";\nlive();\n',
    "hub/src/store/a.ts": "export function live() {}\nexport function dead() {}\n",
    "hub/src/store/orphan.ts": "export const orphan = 1;\n",
    "hub/src/store/tested.ts": "export const tested = 1;\n",
    "hub/src/store/tested.test.ts": 'import { tested } from "./tested.ts";\ntested;\n',
  });
  const { code, output } = await planted(files, (folder) => check("knip", ["--no-progress"], folder));
  assert.notEqual(code, 0);
  for (const found of [/dead\b/, /orphan\.ts/, /nats/]) assert.match(output, found);
  assert.doesNotMatch(output, /tested/, "what only tests use counts as used");
});

const bufYaml = "version: v2\nmodules:\n  - path: .\nlint:\n  use: [STANDARD, COMMENTS]\nbreaking:\n  use: [FILE]\n";
const proto = (field: string) =>
  `syntax = "proto3";\n\npackage capstan.v1;\n\n// M.\nmessage M {\n  // A.\n  ${field}\n}\n`;

test("a schema against the style fails buf lint", async () => {
  const files = { "proto/buf.yaml": bufYaml, "proto/capstan/v1/a.proto": proto("string CamelCase = 1;") };
  const { code, output } = await planted(files, (folder) => check("buf", ["lint", join(folder, "proto")]));
  assert.notEqual(code, 0);
  assert.match(output, /lower_snake_case/);
});

test("a field that changes its type is breaking; a base without schema breaks nothing", async () => {
  const files = { "proto/buf.yaml": bufYaml };
  await planted(files, async (folder) => {
    const git = (...args: string[]) =>
      execFileSync("git", ["-c", "user.name=t", "-c", "user.email=t@t", ...args], {
        cwd: folder,
        encoding: "utf8",
      }).trim();
    const commit = () => {
      git("add", "proto");
      git("commit", "-q", "-m", "x");
      return git("rev-parse", "HEAD");
    };
    git("init", "-q");
    const empty = commit();
    await cp(join(root, "proto/capstan/v1/common.proto"), join(folder, "proto/capstan/v1/common.proto"), {
      recursive: true,
    });
    const first = commit();
    assert.equal((await breakingAgainst(folder, empty)).code, 0);
    assert.equal((await breakingAgainst(folder, first)).code, 0);
    execFileSync("sed", [
      "-i",
      "0,/string \\([a-z_]*\\) = /s//bytes \\1 = /",
      join(folder, "proto/capstan/v1/common.proto"),
    ]);
    const { code, output } = await breakingAgainst(folder, first);
    assert.notEqual(code, 0);
    assert.match(output, /changed type from "string" to "bytes"/);
  });
});

test("generated code that the schema does not say is stale", async () => {
  await planted({}, async (folder) => {
    await cp(join(root, "proto"), join(folder, "proto"), {
      recursive: true,
      filter: (path) => !path.endsWith("node_modules"),
    });
    assert.deepEqual(await freshVerdict(folder), { code: 0, output: "" });
    await appendFile(join(folder, "proto/src/gen/capstan/v1/common_pb.ts"), "// by hand\n");
    const { code, output } = await freshVerdict(folder);
    assert.equal(code, 1);
    assert.match(output, /capstan\/v1\/common_pb\.ts; run npm run generate/);
  });
});
