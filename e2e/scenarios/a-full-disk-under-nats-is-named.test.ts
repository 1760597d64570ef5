import assert from "node:assert/strict";
import { open, rm } from "node:fs/promises";
import { type TestContext, test } from "node:test";
import { run } from "../world/process.ts";
import { TempDir } from "../world/temp.ts";
import { notYet, until } from "../world/wait.ts";
import { Scenario, simulated } from "./scenario.ts";

const settings = "/api/v1/namespaces/shop/configmaps/settings";
const asRoot = { binary: "/usr/bin/env", env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" } };

test("the disk under NATS is full: it is named with its cure, clusters hold course, and all goes on with room", async (context) => {
  await using dir = await TempDir.make("disk");
  const args = ["mount", "-t", "tmpfs", "-o", "size=400m", "tmpfs", dir.path];
  const mounted = await run({ name: "mount", args, ...asRoot });
  if (mounted.code !== 0) return context.skip("needs the right to mount a small tmpfs");
  await using mounts = new AsyncDisposableStack();
  mounts.defer(() => unmount(context, dir.path));
  await using scenario = await Scenario.start(context, { clusters: simulated(2), dataDir: dir.at("data") });
  const { hub, history } = scenario.world;
  const { client } = scenario.world.cluster("c-01");
  await scenario.settled(2);
  await scenario.release("2");
  await scenario.arrived("2");
  await history.fault("disk full", async () => {
    await fill(dir.at("filler"));
    await scenario.release("3");
    await until(
      "the hub to name it",
      () => /"code":"store-full".*[Ff]ree space/.test(hub.child?.tail ?? "") || notYet(hub.child?.tail.slice(-1_500)),
      { bound: 30_000, every: 200 },
    );
    // Clusters hold course meanwhile.
    await client.merge(settings, { data: { value: "by hand" } });
    await until("the healed drift", async () => /^[23]$/.test((await scenario.valueOf("c-01")) ?? ""), 15_000);
    await rm(dir.at("filler"));
    await scenario.arrived("3", { bound: 60_000 });
  });
  await scenario.release("4");
  await scenario.arrived("4", { bound: 30_000 });
  await scenario.settled(2, 30_000);
  assert.equal((await hub.cli(["status"])).code, 0);
  history.assertHolds();
});

/** Writes zeros until there is no room for one more byte. */
async function fill(path: string): Promise<void> {
  const file = await open(path, "w");
  try {
    for (const size of [1 << 20, 4096, 1]) {
      const zeros = new Uint8Array(size);
      while (await file.write(zeros).then(({ bytesWritten }) => bytesWritten === size, isFull));
    }
  } finally {
    await file.close();
  }
}

function isFull(error: unknown): false {
  if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
  throw error;
}

async function unmount(context: TestContext, path: string): Promise<void> {
  const { code, stderr } = await run({ name: "umount", args: ["umount", "-l", path], ...asRoot });
  if (code !== 0) context.diagnostic(stderr);
}
