import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { generous } from "@capstan/proto/testing";
import type { KubeAccess } from "../platform/kube/access.ts";

/** A real kube-apiserver with etcd behind it, for the tests of one file. */
export interface ApiServer {
  readonly access: KubeAccess;
  /** Access with another bearer token, or with none of ours. */
  accessAs(token: string): KubeAccess;
  stop(): Promise<void>;
}

/**
 * Where the servers' binaries are: `KUBEBUILDER_ASSETS`, else the newest folder of the project's cache. Undefined without
 * them; with `CI=true` that throws instead, so that nothing is skipped there.
 */
export function findServers(): string | undefined {
  const cache = join(homedir(), ".cache/capstan/servers");
  const cached = existsSync(cache) ? readdirSync(cache).map((name) => join(cache, name)) : [];
  const folders = [process.env["KUBEBUILDER_ASSETS"], ...cached].filter((folder) => folder !== undefined);
  const found = folders.find(
    (folder) => existsSync(join(folder, "kube-apiserver")) && existsSync(join(folder, "etcd")),
  );
  if (found === undefined && process.env["CI"] === "true") throw new Error(`${noServers}, and CI=true forbids to skip`);
  return found;
}

/** The reason of a skip, as the tests print it. */
export const noServers = "no kube-apiserver and etcd: set KUBEBUILDER_ASSETS or let the project build them";

/** Starts both servers on free ports in a folder of their own; ready when this resolves. About three seconds. */
export async function startApiServer(binaries: string): Promise<ApiServer> {
  const folder = await mkdtemp(join(tmpdir(), "capstan-api-"));
  const [etcdPort, peerPort, port] = await Promise.all([freePort(), freePort(), freePort()]);
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keyFile = join(folder, "accounts.key");
  await writeFile(keyFile, privateKey.export({ type: "pkcs1", format: "pem" }));
  await writeFile(join(folder, "tokens.csv"), 'admin,admin,admin,"system:masters"\nplain,plain,plain\n');
  const children: ChildProcess[] = [];
  const log: string[] = [];
  const start = (name: string, args: readonly string[]) => {
    const child = spawn(join(binaries, name), args, { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr.on("data", (chunk: Buffer) => {
      log.push(String(chunk));
      if (log.length > 200) log.shift();
    });
    children.push(child);
  };
  // A test process that dies takes its servers with it.
  const killAll = () => children.forEach((child) => child.kill("SIGKILL"));
  process.once("exit", killAll);
  const etcd = `http://127.0.0.1:${etcdPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  start("etcd", [
    ...["--data-dir", join(folder, "etcd"), "--listen-client-urls", etcd, "--advertise-client-urls", etcd],
    ...["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer, "--initial-cluster", `default=${peer}`],
    ...["--unsafe-no-fsync", "--log-level", "error"],
  ]);
  start("kube-apiserver", [
    `--etcd-servers=${etcd}`,
    `--secure-port=${port}`,
    "--bind-address=127.0.0.1",
    `--cert-dir=${join(folder, "certs")}`,
    `--token-auth-file=${join(folder, "tokens.csv")}`,
    "--authorization-mode=RBAC",
    "--service-account-issuer=https://kubernetes.default.svc",
    `--service-account-key-file=${keyFile}`,
    `--service-account-signing-key-file=${keyFile}`,
    "--service-cluster-ip-range=10.96.0.0/16",
    "--disable-admission-plugins=ServiceAccount",
    "--watch-cache=true",
  ]);
  const stop = async () => {
    process.off("exit", killAll);
    for (const child of children.reverse()) await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(port, log);
    const ca = await readFile(join(folder, "certs/apiserver.crt"), "utf8");
    const server = `https://127.0.0.1:${port}`;
    const accessAs = (token: string): KubeAccess => ({ server, ca, insecure: true, token: async () => token });
    return { access: accessAs("admin"), accessAs, stop };
  } catch (thrown) {
    await stop();
    throw thrown;
  }
}

async function untilReady(port: number, log: readonly string[]): Promise<void> {
  const { KubeClient } = await import("../platform/kube/client.ts");
  const { systemChance, systemClock } = await import("@capstan/proto");
  const access = { server: `https://127.0.0.1:${port}`, insecure: true, token: async () => "admin" };
  const options = { access, clock: systemClock, chance: systemChance, inFlight: 1, timeoutMs: 2000 };
  const client = new KubeClient(options);
  const end = performance.now() + generous(60_000);
  try {
    for (;;) {
      const path = "/api/v1/namespaces/default";
      const answer = await client.send({ method: "GET", path }, AbortSignal.timeout(5000)).catch(() => undefined);
      const ready = await client
        .send({ method: "GET", path: "/readyz" }, AbortSignal.timeout(5000))
        .catch(() => undefined);
      if (answer?.status === 200 && ready?.status === 200) return;
      if (performance.now() > end) throw new Error(`the API server did not become ready:\n${log.slice(-20).join("")}`);
      await sleep(50);
    }
  } finally {
    client.close();
  }
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve();
    child.once("exit", () => resolve());
    child.kill("SIGKILL");
  });
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        address !== null && typeof address === "object" ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
