import assert from "node:assert/strict";
import test from "node:test";
import { inspect } from "./inspect.ts";
import { planted } from "./planted.ts";

/** Rules broken by the planted files, each once, in order of path and line. */
async function broken(files: Readonly<Record<string, string>>): Promise<string[]> {
  const violations = await planted(files, inspect);
  for (const { message } of violations) assert.match(message, /[;:.]/, "a ban states its reason and the substitute");
  return violations.map(({ path, line, rule }) => `${path}:${line} ${rule}`);
}

test("a clean house has no breach", async () => {
  const files = {
    "hub/src/store/model.ts": "/** A. */\nexport const a = 1;\n",
    "hub/src/render/model.ts":
      'import { z } from "zod";\nimport { a } from "../store/model.ts";\nz.number().parse(a);\n',
    "hub/src/platform/disk/files.ts": 'import { readFileSync } from "node:fs";\nreadFileSync("x");\n',
  };
  assert.deepEqual(await broken(files), []);
});

test("a room importing one above it breaks no-import-upward, even for a type", async () => {
  const files = {
    "hub/src/store/model.ts": 'import type { Plan } from "../rollout/model.ts";\nlet a: Plan;\n',
    "hub/src/sources/model.ts": 'let a: import("../render/model.ts").Tree;\n',
    "agent/src/inventory/diff.ts": 'import { apply } from "../apply/plan.ts";\napply();\n',
    "hub/src/rollout/model.ts": "/** P. */\nexport interface Plan {}\n",
  };
  assert.deepEqual(await broken(files), [
    "agent/src/inventory/diff.ts:1 no-import-upward",
    "hub/src/sources/model.ts:1 no-import-upward",
    "hub/src/store/model.ts:1 no-import-upward",
  ]);
});

test("the command line reaching into a running hub's room breaks no-import-upward", async () => {
  const files = { "hub/src/cli/status.ts": 'import { plan } from "../rollout/plan.ts";\nplan();\n' };
  assert.deepEqual(await broken(files), ["hub/src/cli/status.ts:1 no-import-upward"]);
});

test("files and rooms importing each other break no-circle, even for types", async () => {
  const files = {
    "hub/src/render/a.ts": 'import type { B } from "./b.ts";\n/** A. */\nexport interface A { b: B }\n',
    "hub/src/render/b.ts": 'import type { A } from "./a.ts";\n/** B. */\nexport interface B { a: A }\n',
    "hub/src/clusters/x.ts": 'import "../projects/y.ts";\n',
    "hub/src/projects/y.ts": "",
    "hub/src/projects/z.ts": 'import "../clusters/w.ts";\n',
    "hub/src/clusters/w.ts": "",
  };
  assert.deepEqual(await broken(files), ["hub/src/clusters/x.ts:1 no-circle", "hub/src/render/a.ts:1 no-circle"]);
});

test("hub importing agent, or e2e importing a source of hub, breaks no-foreign-workspace", async () => {
  const files = {
    "hub/src/render/a.ts": 'import "../../../agent/src/link/model.ts";\n',
    "agent/src/link/a.ts": 'import "@capstan/hub";\n',
    "e2e/scenarios/a.test.ts": 'import "../../hub/src/render/model.ts";\n',
    "proto/src/wire/a.ts": 'import "@capstan/hub";\n',
  };
  assert.deepEqual(await broken(files), [
    "agent/src/link/a.ts:1 no-foreign-workspace",
    "e2e/scenarios/a.test.ts:1 no-foreign-workspace",
    "hub/src/render/a.ts:1 no-foreign-workspace",
    "proto/src/wire/a.ts:1 no-foreign-workspace",
  ]);
});

test("a room's port or reconciler imported by another breaks no-foreign-port; platform may import ports", async () => {
  const files = {
    "hub/src/render/a.ts": 'import type { Mirror } from "../sources/port.ts";\nlet a: Mirror;\n',
    "hub/src/rollout/a.ts": 'import { run } from "../sources/reconciler.ts";\nrun();\n',
    "hub/src/platform/git/mirror.ts": 'import type { Mirror } from "../../sources/port.ts";\nlet a: Mirror;\n',
    "hub/src/hub.ts": 'import { run } from "./sources/reconciler.ts";\nrun();\n',
  };
  assert.deepEqual(await broken(files), [
    "hub/src/render/a.ts:1 no-foreign-port",
    "hub/src/rollout/a.ts:1 no-foreign-port",
  ]);
});

test("platform imported by anything but main breaks a wall", async () => {
  const files = {
    "hub/src/hub.ts": 'import "./platform/log/log.ts";\n',
    "hub/src/api/a.ts": 'import "../platform/grpc/serve.ts";\n',
    "hub/src/main.ts": 'import "./platform/log/log.ts";\n',
  };
  assert.deepEqual(await broken(files), [
    "hub/src/api/a.ts:1 no-import-upward",
    "hub/src/hub.ts:1 platform-only-in-main",
  ]);
});

test("a room that is not in the plan breaks unknown-room", async () => {
  const files = { "hub/src/magic/a.ts": 'import "../store/model.ts";\n' };
  assert.deepEqual(await broken(files), ["hub/src/magic/a.ts:1 unknown-room"]);
});

test("an SDK or a node: module in a core breaks no-world-in-core; in platform, main and tests it does not", async () => {
  const files = {
    "hub/src/store/a.ts":
      'import { connect } from "nats";\nimport type { Server } from "node:net";\nconnect();\nlet a: Server;\n',
    "agent/src/link/a.ts": 'const grpc = import("@grpc/grpc-js");\ngrpc;\n',
    "hub/src/store/a.test.ts": 'import "node:fs";\n',
    "hub/src/main.ts": 'import "node:fs";\n',
    "agent/src/platform/nats/a.ts": 'import "nats";\n',
  };
  assert.deepEqual(await broken(files), [
    "agent/src/link/a.ts:1 no-world-in-core",
    "hub/src/store/a.ts:1 no-world-in-core",
    "hub/src/store/a.ts:2 no-world-in-core",
  ]);
});

test("clock, timer, chance and environment in a core break no-ambient-input", async () => {
  const uses = [
    "Date.now();",
    "new Date();",
    "setTimeout(() => {}, 1);",
    "setInterval(() => {}, 1);",
    "Math.random();",
    "crypto.randomUUID();",
    "performance.now();",
    'process.env["HOME"];',
    "AbortSignal.timeout(1);",
    "console.log(1);",
    '"a".localeCompare("b");',
    "Buffer.from([]);",
    "globalThis.setTimeout;",
    "import.meta.url;",
  ];
  const found = await broken({ "agent/src/health/a.ts": `${uses.join("\n")}\n` });
  assert.deepEqual(
    found,
    uses.map((_, at) => `agent/src/health/a.ts:${at + 1} no-ambient-input`),
  );
});

test("what only looks like a clock or the environment is left alone", async () => {
  const text = [
    "const at = new Date(0);",
    "interface Io { readonly process: string; fetch(): void }",
    "const io = { process: 1, console: 2 };",
    "function run(process: Io, clock: { now(): number }) { return [process.process, clock.now(), io.process, at]; }",
    "run;",
  ].join("\n");
  const files = {
    "agent/src/health/a.ts": text,
    "agent/src/platform/process/a.ts": "process.exit(1);\n",
    "agent/src/main.ts": "process.exit(1);\n",
    "proto/src/time/system.ts": "Date.now();\n",
    "agent/src/health/a.test.ts": "Date.now();\n",
  };
  assert.deepEqual(await broken(files), []);
});

test("default, wildcard, mutable and undocumented exports, and drawers, break their walls", async () => {
  const files = {
    "hub/src/store/a.ts": '/** A. */\nexport let a = 1;\nexport * from "./b.ts";\nexport default a;\n',
    "hub/src/store/b.ts": "export function f() {}\n",
    "hub/src/render/utils.ts": "",
    "agent/src/link/types.ts": "",
    "e2e/world/helpers.ts": "",
  };
  assert.deepEqual(await broken(files), [
    "agent/src/link/types.ts:1 no-drawer",
    "e2e/world/helpers.ts:1 no-drawer",
    "hub/src/render/utils.ts:1 no-drawer",
    "hub/src/store/a.ts:2 no-mutable-export",
    "hub/src/store/a.ts:3 no-export-all",
    "hub/src/store/a.ts:4 no-default-export",
    "hub/src/store/b.ts:1 documented-export",
  ]);
});
