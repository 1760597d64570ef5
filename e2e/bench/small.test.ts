import assert from "node:assert/strict";
import { test } from "node:test";
import { generous } from "@capstan/proto/testing";
import { realCluster, skipReason } from "../toolchain/skip.ts";
import { ensureTools } from "../toolchain/tools.ts";
import { run } from "../world/process.ts";
import { productEnv } from "../world/programs.ts";
import { TempDir } from "../world/temp.ts";

const tools = await ensureTools();
/** Each bench at a size that proves that it measures something; times are not looked at. */
const small: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "fan-out": { CLUSTERS: "5", ROUNDS: "1" },
  "one-of-many": { CLUSTERS: "5", ROUNDS: "2", REST_SECONDS: "2" },
  restart: { CLUSTERS: "5" },
  status: { CLUSTERS: "5", SECONDS: "2" },
  "hub-size": { CLUSTERS: "10", SETS: "2" },
  generate: { SCALE: "0.02" },
  helm: { CLUSTERS: "10" },
  "push-to-applied": { ROUNDS: "2" },
  "apply-1000": { TARGETS: "5", REST_SECONDS: "1" },
  "reapply-1000": { TARGETS: "5", REST_SECONDS: "1" },
  idle: { TARGETS: "5", SECONDS: "2", REST_SECONDS: "1" },
  drift: { TARGETS: "5", ROUNDS: "2" },
  noise: { TARGETS: "5", SECONDS: "2", OBJECTS: "50", REST_SECONDS: "1" },
  plan: { CLUSTERS: "50", TARGETS: "10" },
  "rollout-100": { CLUSTERS: "9" },
  "rollback-1000": { CLUSTERS: "6" },
  "restart-mid": { CLUSTERS: "6" },
};
const onRealServers = new Set(["push-to-applied", "apply-1000", "reapply-1000", "idle", "drift", "noise"]);

for (const [name, knobs] of Object.entries(small)) {
  const needs = onRealServers.has(name) ? realCluster : (["natsServer"] as const);
  test(`bench ${name} gives its figures`, { skip: skipReason(tools, needs), timeout: generous(180_000) }, async () => {
    await using home = await TempDir.make("bench");
    const result = await run({
      name: `bench ${name}`,
      binary: process.execPath,
      args: [`${import.meta.dirname}/main.ts`, name, "--json"],
      env: {
        ...productEnv(process.env["HOME"] ?? home.path),
        ...Object.fromEntries(Object.entries(knobs).map(([knob, value]) => [`CAPSTAN_BENCH_${knob}`, value])),
      },
      bound: 170_000,
    });
    // 1: a bar is not met, which a small machine may well say.
    assert.ok(result.code === 0 || result.code === 1, `${result.stdout}${result.stderr}`);
    const line = JSON.parse(result.stdout.trim().split("\n").at(-1) ?? "");
    assert.equal(line.bench, name);
    assert.ok(line.bars.length >= 2);
    for (const bar of line.bars) assert.ok(Number.isFinite(bar.value), `${bar.name}: ${bar.value}`);
  });
}
