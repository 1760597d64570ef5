import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import test from "node:test";
import { realCluster, skipReason } from "./skip.ts";
import { ensureTools, type Tools } from "./tools.ts";

/** Runs `act` with the given variables only (undefined removes one), and puts back what was there. */
async function withEnvironment(
  variables: Readonly<Record<string, string | undefined>>,
  act: () => Promise<void>,
): Promise<void> {
  const before = { ...process.env };
  for (const name of Object.keys(before)) if (name.startsWith("CAPSTAN_")) delete process.env[name];
  for (const [name, value] of Object.entries(variables)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  try {
    await act();
  } finally {
    for (const name of Object.keys(process.env)) if (!(name in before)) delete process.env[name];
    Object.assign(process.env, before);
  }
}

async function inFolder(act: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "capstan-tools-"));
  try {
    await act(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function program(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, "#!/bin/sh\n");
  await chmod(path, 0o755);
  return path;
}

test("a program named by its variable, or in KUBEBUILDER_ASSETS, goes before all else", () =>
  inFolder(async (folder) => {
    const helm = await program(folder, "my-helm");
    const etcd = await program(folder, "etcd");
    const apiserver = await program(folder, "kube-apiserver");
    const variables = { CAPSTAN_HELM: helm, KUBEBUILDER_ASSETS: folder, CAPSTAN_CACHE: join(folder, "cache") };
    await withEnvironment(variables, async () => {
      const tools = await ensureTools(["helm", "etcd", "kubeApiserver"]);
      assert.deepEqual([tools.helm, tools.etcd, tools.kubeApiserver], [helm, etcd, apiserver]);
      assert.deepEqual(tools.missing, []);
      assert.equal(skipReason(tools, realCluster), false);
      assert.throws(() => tools.kubectl, /kubectl was not asked for/);
    });
  }));

test("a variable that names no file is an error and no reason to look elsewhere", () =>
  withEnvironment({ CAPSTAN_KUBECTL: "/nowhere/kubectl" }, async () => {
    await assert.rejects(
      ensureTools(["kubectl"]),
      /CAPSTAN_KUBECTL names \/nowhere\/kubectl, and there is no such file/,
    );
  }));

test("what is wanted only if present is neither downloaded nor built", () =>
  inFolder(async (folder) => {
    const variables = { CAPSTAN_CACHE: join(folder, "cache"), KUBEBUILDER_ASSETS: undefined };
    await withEnvironment(variables, async () => {
      const tools = await ensureTools([], { ifPresent: ["helm", "etcd"] });
      assert.deepEqual(
        tools.missing.map(({ name }) => name),
        ["helm", "etcd"],
      );
      assert.throws(() => tools.helm, /helm is missing: helm is not here yet/);
      assert.equal(tools.etcd, undefined);
    });
  }));

test("without Go the servers are missing with the reason, and a scenario that needs them is skipped, but not in CI", async () => {
  const reason = "there is no go on this machine";
  const tools = { missing: [{ name: "etcd", reason }] } as unknown as Tools;
  await withEnvironment({ CI: undefined }, async () => {
    assert.equal(skipReason(tools, realCluster), `needs etcd: ${reason}`);
    assert.equal(skipReason(tools, ["helm"]), false);
  });
  await withEnvironment({ CI: "true" }, async () => {
    assert.throws(() => skipReason(tools, realCluster), /with CI=true nothing may be skipped, and this needs etcd/);
  });
});
