import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import process from "node:process";
import { cacheRoot, programName } from "./environment.ts";
import { withLock } from "./lock.ts";
import { run } from "./run.ts";
import { sayIfSlow } from "./say.ts";

/** The programs that Go builds from modules here, whose go.mod and go.sum pin every byte of source. */
export const serverNames = [
  "natsServer",
  "kubeApiserver",
  "etcd",
  "kubeControllerManager",
  "templateOracle",
  "jsonnet",
] as const;

/** Name of one such program. */
export type ServerName = (typeof serverNames)[number];

const mainPackage: Readonly<Record<ServerName, string>> = {
  natsServer: "github.com/nats-io/nats-server/v2",
  kubeApiserver: "k8s.io/kubernetes/cmd/kube-apiserver",
  etcd: "go.etcd.io/etcd/server/v3",
  kubeControllerManager: "k8s.io/kubernetes/cmd/kube-controller-manager",
  templateOracle: ".",
  jsonnet: "github.com/google/go-jsonnet/cmd/jsonnet",
};

/** A Go module of ours, and the files that decide what it builds. */
interface GoModule {
  readonly folder: string;
  readonly files: readonly string[];
}

const servers: GoModule = { folder: join(import.meta.dirname, "..", "servers"), files: ["go.mod", "go.sum"] };
const oracle: GoModule = {
  folder: join(import.meta.dirname, "..", "template-oracle"),
  files: ["go.mod", "go.sum", "main.go"],
};

const jsonnet: GoModule = { folder: join(import.meta.dirname, "..", "jsonnet"), files: ["go.mod", "go.sum"] };

function moduleOf(name: ServerName): GoModule {
  if (name === "jsonnet") return jsonnet;
  return name === "templateOracle" ? oracle : servers;
}

const goEnvironment = { ...process.env, CGO_ENABLED: "0" };
/** Go's usual home is often not on the PATH of shells that no person opened. */
const usualGo = "/usr/local/go/bin/go";

/** Programs built earlier from the same sources by the same Go (by any Go where there is none on this machine). */
export async function presentServers(): Promise<ReadonlyMap<ServerName, string>> {
  const found = new Map<ServerName, string>();
  for (const module of [servers, oracle, jsonnet]) {
    const folder = await builtFolder(module).catch(() => undefined);
    const names = serverNames.filter((name) => moduleOf(name) === module);
    if (folder !== undefined) for (const [name, path] of inFolder(folder, names)) found.set(name, path);
  }
  return found;
}

/** Builds those of `names` that the cache lacks (from 5 s for the oracle alone to 5 min for all, on 2 cores). */
export async function buildServers(names: readonly ServerName[]): Promise<ReadonlyMap<ServerName, string>> {
  const found = new Map<ServerName, string>();
  for (const name of names) {
    const folder = await builtFolder(moduleOf(name));
    await mkdir(folder, { recursive: true });
    await withLock(join(folder, ".lock"), async () => {
      if (!inFolder(folder, [name]).has(name)) await build(folder, name);
    });
    for (const [built, path] of inFolder(folder, [name])) found.set(built, path);
  }
  return found;
}

function inFolder(folder: string, names: readonly ServerName[]): Map<ServerName, string> {
  const paths = names.map((name): [ServerName, string] => [name, join(folder, programName[name])]);
  return new Map(paths.filter(([, path]) => existsSync(path)));
}

async function build(folder: string, name: ServerName): Promise<void> {
  const fresh = join(folder, `.${programName[name]}.${process.pid}`);
  // Without the version flag a Kubernetes built outside its own repository calls itself v0.0.0-master.
  const version = name.startsWith("kube") ? ` -X k8s.io/component-base/version.gitVersion=${await pinned()}` : "";
  const args = ["build", "-trimpath", `-ldflags=-s -w${version}`, "-o", fresh, mainPackage[name]];
  try {
    await sayIfSlow(`building ${programName[name]} from its Go module, once`, () => go(args, moduleOf(name)));
    await rename(fresh, join(folder, programName[name]));
  } finally {
    await rm(fresh, { force: true });
  }
}

async function go(args: readonly string[], module: GoModule): Promise<string> {
  const onPath = (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, "go")));
  const program = !onPath && existsSync(usualGo) ? usualGo : "go";
  return run({ program, args, cwd: module.folder, env: goEnvironment });
}

async function pinned(): Promise<string> {
  const found = /^\tk8s\.io\/kubernetes (v\S+)$/m.exec(await readFile(join(servers.folder, "go.mod"), "utf8"));
  if (found?.[1] === undefined) throw new Error("e2e/servers/go.mod does not pin k8s.io/kubernetes");
  return found[1];
}

async function builtFolder(module: GoModule): Promise<string> {
  const sources = createHash("sha256");
  for (const file of module.files) sources.update(await readFile(join(module.folder, file)));
  const ofSources = sources.copy().digest("hex").slice(0, 16);
  const pointer = join(cacheRoot(), "servers", `last-${ofSources}`);
  const goVersion = await go(["env", "GOVERSION"], module).catch(() => undefined);
  if (goVersion === undefined) {
    const last = await readFile(pointer, "utf8").catch(() => undefined);
    if (last === undefined) throw new Error("it is built from its Go module, and there is no go on this machine");
    return join(cacheRoot(), "servers", last);
  }
  const key = sources.update(goVersion).digest("hex").slice(0, 16);
  await mkdir(join(cacheRoot(), "servers"), { recursive: true });
  await writeFile(pointer, key);
  return join(cacheRoot(), "servers", key);
}
